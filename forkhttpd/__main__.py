"""The command `forkhttpd`, also as `python -m forkhttpd`."""

import signal
import sys

# Importing the rest takes a tenth of a second or two, and reading the configuration as much: ^C
# during that just ends us, without a traceback.  The master takes over the signals when it starts.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from forkhttpd import commandline
from forkhttpd.config.reader import Reader
from forkhttpd.errors import StartupError


def run() -> None:
    """Run the command and leave with its exit code."""
    words = sys.argv[1:]
    reader = _begin(words)

    # 115 ms, in which the reader has its own 95 behind it where there is a second processor.
    from forkhttpd.cli import main

    raise SystemExit(main(words, reader=reader))


def _begin(words: list[str]) -> Reader | None:
    """Start the reader of the file that is to be served, if it is sure that one is."""
    file = commandline.file_to_serve(words)
    if file is None:
        return None
    try:
        return Reader(file, allow_root="--allow-root" in words)
    except StartupError:  # it is tried again where there is a way to say why
        return None


if __name__ == "__main__":
    run()
