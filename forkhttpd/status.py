"""The command `forkhttpd status`: asks the running master how it is, and prints the answer.

On a terminal it is coloured (unless NO_COLOR is set, no-color.org) and `--watch` stays in place;
in a pipe it is plain lines, and with --json one object a line.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from forkhttpd.commandline import add_configuration
from forkhttpd.config.source import read
from forkhttpd.config.whereabouts import control_socket
from forkhttpd.errors import ConfigError, ExitCode, StartupError, describe
from forkhttpd.inquiry import NoAnswer, ask
from forkhttpd.statustable import Answer, coloured, plain, render

_PATIENCE = 10.0  # seconds for the master to answer
_PAUSE = 1.0  # seconds between two answers of --watch
_HOME = "\x1b[H\x1b[J"  # the cursor to the top, and nothing below it


def main(argv: Sequence[str]) -> int:
    """Do what the arguments after "status" say.  Raises SystemExit 2 for usage, StartupError."""
    arguments = make_parser().parse_args(argv)
    path = _socket_of(arguments.config)
    try:
        _show(path, as_json=arguments.json, watch=arguments.watch)
    except NoAnswer as error:
        message = f"nobody answers at {path}: {error}; is forkhttpd running?"
        raise StartupError(message, exit_code=ExitCode.UNAVAILABLE) from None
    except BrokenPipeError:  # `| head` has read enough; the interpreter would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        message = f"cannot ask at {path}: {describe(error)}"
        raise StartupError(message, exit_code=ExitCode.OSERR) from None
    return ExitCode.STOPPED


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the arguments; manual and completions are held to it."""
    parser = argparse.ArgumentParser(
        prog="forkhttpd status",
        description="Show how the running server is: its workers, pools and reloads.",
        allow_abbrev=False,
    )
    add_configuration(parser, "its configuration")
    add = parser.add_argument
    add("--json", action="store_true", help="as a JSON object on one line")
    add("--watch", action="store_true", help="again every second, until ^C")
    return parser


def _socket_of(file: Path) -> Path:
    source = read(file)
    path = control_socket(source)
    if path is None:
        wrong = 'there is none, so nobody can be asked; write pid_file, or control_socket = "PATH"'
        raise ConfigError(source.tell([(("control_socket",), wrong)]))
    return path


def _show(path: Path, *, as_json: bool, watch: bool) -> None:
    before: Answer | None = None
    while True:
        answer = ask(path, "status", patience=_PATIENCE)
        text = json.dumps(answer) + "\n" if as_json else _page(answer, before, watch=watch)
        sys.stdout.write(text)
        sys.stdout.flush()
        if not watch:
            return
        before = answer
        time.sleep(_PAUSE)


def _page(answer: Answer, before: Answer | None, *, watch: bool) -> str:
    page = render(answer, before, coloured if _wants_colour(sys.stdout) else plain)
    if not watch:
        return page
    return _HOME + page if sys.stdout.isatty() else page + "\n"


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
