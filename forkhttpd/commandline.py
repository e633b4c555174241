"""The command line: what may stand there, and what `--help` teaches.

The words `status` and `explain` have parsers of their own, beside what they do; what those have in
common is here.
"""

import argparse
import os
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
forkhttpd [--cgi] [PORT] [-b ADDRESS] [-d DIRECTORY] [-T]
       forkhttpd -c FILE [-t | -T | -s SIGNAL | --daemon] [--allow-root]
       forkhttpd status [-c FILE] [--json] [--watch]
       forkhttpd explain URL [-c FILE]"""

_DESCRIPTION = "Serve static files and CGI programs: a directory, at once, or what FILE says."

_OF_DIRECTORY = ("port", "bind", "directory", "protocol")
_LARGEST_PORT = 65535
_INSTALLED = Path("/etc/forkhttpd/forkhttpd.conf")

_EPILOG = """\
examples:
  forkhttpd 8000                               serve this directory until ^C
  forkhttpd --cgi                              and the programs in its cgi-bin
  forkhttpd --cgi -T > site.conf               keep that, to go on from
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
    _check(parser, arguments)
    return arguments


def file_to_serve(words: Sequence[str]) -> Path | None:
    """Return the file of `-c FILE`, if to serve it is all that is asked for.

    This is for who starts on it before the words are parsed, which takes imports.
    """
    match [word for word in words if word not in ("--daemon", "--allow-root")]:
        case ["-c", file] if not file.startswith("-"):
            return Path(file)
    return None


def serves_directory(arguments: argparse.Namespace) -> bool:
    """Whether the arguments say what to serve, without a file that does."""
    return arguments.cgi or any(getattr(arguments, name) is not None for name in _OF_DIRECTORY)


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse what argparse cannot know to be wrong.  Raises SystemExit."""
    if not serves_directory(arguments):
        if arguments.config is None:
            parser.error("which configuration? add -c FILE")
    elif arguments.config is not None:
        parser.error("-c FILE says where and what to serve; leave out the other, or -c")
    elif arguments.test or arguments.signal or arguments.daemon:
        parser.error("only with a configuration; make one with -T, and add -c FILE")


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= _LARGEST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no command and no port; {_meant(text)}")


def _meant(text: str) -> str:
    """Return what was probably meant by a word that is no port."""
    if text.endswith(".conf"):
        return "a configuration stands behind -c"
    if text in SIGNALS:
        return f"a running server is told so by -c FILE -s {text}"
    if os.path.isdir(text):
        return "a directory stands behind -d"
    return f"write status, explain, or 0 to {_LARGEST_PORT}"


def add_configuration(parser: argparse.ArgumentParser, what: str) -> None:
    """Add `-c` to the parser of a word that is about an installed server unless it says more."""
    parser.add_argument(
        "-c",
        dest="config",
        metavar="FILE",
        type=Path,
        default=_INSTALLED,
        help=f"{what}, if not {_INSTALLED}",
    )


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
    add_quick = parser.add_argument_group("to serve a directory at once").add_argument
    add_quick("--cgi", action="store_true", help="run the programs in its cgi-bin and htbin")
    add_quick("port", metavar="PORT", nargs="?", type=_port, help="8000; 0 is any that is free")
    add_quick("-b", "--bind", metavar="ADDRESS", help="127.0.0.1, which only this machine reaches")
    add_quick("-d", "--directory", type=Path, help="the current one")
    add_quick("-p", "--protocol", metavar="VERSION", help="no effect: each client gets its own")
    add("--allow-root", action="store_true", help="let root serve, on loopback addresses only")
    add("--version", action="version", version=f"forkhttpd {__version__}", help="print the version")
    add("--help", "-h", action="help", help="print this")
    return parser
