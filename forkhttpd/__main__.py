"""The command `forkhttpd`, also as `python -m forkhttpd`."""

import signal

# Importing the rest takes a tenth of a second or two, and reading the configuration follows: ^C
# during that just ends us, without a traceback.  The master takes over the signals when it starts.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from forkhttpd.cli import main


def run() -> None:
    """Run the command and leave with its exit code."""
    raise SystemExit(main())


if __name__ == "__main__":
    run()
