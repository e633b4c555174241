"""A whole master over small children: `python small_server.py FILE.conf [--daemon]`."""

import sys
from pathlib import Path

from forkhttpd.config import Config
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from forkhttpd.errors import StartupError
from forkhttpd.master.start import run
from tests.master.programs import PROGRAMS


def main() -> int:
    """Run until stopped."""
    path = Path(sys.argv[1]).absolute()

    def load() -> Config:
        return parse(read(path))

    try:
        daemonize = "--daemon" in sys.argv[2:]
        return run(load(), load=load, programs=PROGRAMS, daemonize=daemonize, path=path)
    except StartupError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
