"""The command line: what may stand there, and what `--help` teaches.

The words `status` and `explain` have parsers of their own, beside what they do.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from forkhttpd import __version__
from forkhttpd.errors import ExitCode

SIGNALS = {
    "reload": signal.SIGHUP,
    "stop": signal.SIGTERM,
    "quit": signal.SIGQUIT,
    "reopen": signal.SIGUSR1,
    "upgrade": signal.SIGUSR2,
}

_USAGE = """\
forkhttpd -c FILE [-t | -T | -s SIGNAL | --daemon] [--allow-root]
       forkhttpd status [-c FILE] [--json] [--watch]
       forkhttpd explain URL [-c FILE]"""

_DESCRIPTION = "Serve static files and CGI programs, as FILE says."

_EPILOG = """\
examples:
  forkhttpd -c etc/forkhttpd.conf              serve until ^C
  forkhttpd -c /etc/forkhttpd.conf -t          is this file right?
  forkhttpd -c /etc/forkhttpd.conf -T          what is in force?
  forkhttpd -c /etc/forkhttpd.conf --daemon    serve in the background
  forkhttpd -c /etc/forkhttpd.conf -s reload   take up the changed file
  forkhttpd status -c /etc/forkhttpd.conf      how is it?  --watch, --json
  forkhttpd explain http://example.org/x       what would this request meet?

signals of the master, whose number is in pid_file:
  HUP         reload the configuration; a wrong one changes nothing
  TERM        stop when running requests are done, or timeouts.graceful is up
  INT, QUIT   stop now
  USR1        reopen the logs, after a rotation
  USR2        upgrade: what is installed now takes over, or nothing changes
  TTIN, TTOU  one worker more, one worker less
  WINCH       of a daemon: all workers leave, the master stays

exit codes:
  0   asked to stop, or done         70  a bug of forkhttpd
  64  the command line is wrong      71  the system failed
  69  an address or the PID file     78  the configuration is wrong
      is taken, or nothing runs
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments.  Raises SystemExit, with whatever is to say said."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments == parser.parse_args([]):
        parser.print_help(sys.stderr)
        raise SystemExit(ExitCode.USAGE)
    if arguments.config is None:
        parser.error("which configuration? add -c FILE")
    return arguments


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the arguments; manual and completions are held to it."""
    parser = argparse.ArgumentParser(
        prog="forkhttpd",
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-c", dest="config", metavar="FILE", type=Path, help="the configuration; alone: run it")
    add_one = parser.add_mutually_exclusive_group().add_argument
    add_one("-t", dest="test", action="store_true", help="test it: print every problem and warning")
    add_one("-T", dest="dump", action="store_true", help="print the whole effective configuration")
    add_one(
        "-s",
        dest="signal",
        choices=SIGNALS,
        metavar="SIGNAL",
        help="signal the running master: reload, stop, quit (at once), reopen (the logs), upgrade",
    )
    add_one("--daemon", action="store_true", help="run in the background, once it serves")
    add("--allow-root", action="store_true", help="let root serve, on loopback addresses only")
    add("--version", action="version", version=f"forkhttpd {__version__}", help="print the version")
    add("--help", "-h", action="help", help="print this")
    return parser
