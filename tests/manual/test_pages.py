"""The manual says all there is, and nothing else: options, signals, exit codes, keys, messages."""

import argparse
import re
import subprocess
from pathlib import Path

import pytest

from forkhttpd import cli, commandline
from forkhttpd.errors import ExitCode
from forkhttpd.master.master import SIGNALS
from scripts.handbook.__main__ import texts
from tests.manual import messages, page
from tests.manual.page import COMMAND, CONFIG, flags, heads, section, words
from tests.programs.peers import need

UPDATE = "run scripts/manual, and commit what it has written"


def options(parser: argparse.ArgumentParser) -> set[str]:
    found = {option for action in parser._actions for option in action.option_strings}
    return found - {"-h", "--help"}


@pytest.mark.parametrize("file", texts(), ids=lambda file: file.name)
def test_what_is_written_from_the_source_is_up_to_date(file: Path) -> None:
    assert file.exists(), UPDATE
    assert file.read_text() == texts()[file], UPDATE


def test_every_option_is_explained_and_no_other() -> None:
    found = set().union(*map(flags, heads(section("DESCRIPTION") + section("OPTIONS"))))
    assert found - {"-h", "--help"} == options(commandline.make_parser())


@pytest.mark.parametrize("name", cli.WORDS)
def test_every_command_is_explained_with_its_options(name: str) -> None:
    lines = [head for head in heads(section("COMMANDS")) if head.startswith(f"Cm {name}")]
    assert [flags(line) for line in lines] == [options(cli.WORDS[name].make_parser())]


def test_the_synopsis_has_every_option_that_serves_and_no_other() -> None:
    parsers = [commandline.make_parser(), *(word.make_parser() for word in cli.WORDS.values())]
    every = set().union(*map(options, parsers))
    found = set().union(*map(flags, section("SYNOPSIS").replace("|", " ").splitlines()))
    assert found == every - {"--version", "--bind", "--directory", "--protocol"}  # -b, -d, -p


def test_every_word_for_s_is_explained() -> None:
    item = section("OPTIONS").partition(".It Fl s ")[2].partition(".It ")[0]
    assert set(re.findall(r"^\.Cm (\w+)", item, re.M)) == set(commandline.SIGNALS)


def test_every_signal_of_the_master_is_explained_and_no_other() -> None:
    found = {word for head in heads(section("SIGNALS")) for word in words(head, "Dv")}
    assert found == {number.name.removeprefix("SIG") for number in SIGNALS} - {"CHLD"}


def test_every_exit_code_is_explained_and_no_other() -> None:
    assert {int(head) for head in heads(section("EXIT STATUS"))} == set(ExitCode)


def test_every_message_of_the_log_is_explained() -> None:
    explained = messages.of_the_manual(COMMAND.read_text())
    missing = [
        f"\n{where}: in {COMMAND.name}, DIAGNOSTICS, add these lines, with words of your own:\n"
        f".It {messages.spelled(message)}\nWhat it means, and the next step."
        for message, where in messages.of_the_source().items()
        if message not in explained
    ]
    assert not missing, "".join(missing)


def test_no_message_is_explained_that_nobody_writes() -> None:
    explained = messages.of_the_manual(COMMAND.read_text())
    written = {message for message in explained if re.search("[a-z]", message)}
    assert written - set(messages.of_the_source()) == set()


@pytest.mark.parametrize("file", [COMMAND, CONFIG], ids=lambda file: file.name)
def test_a_page_is_sound(file: Path) -> None:
    """By both programs that show it: mandoc, which also judges style, and man with groff."""
    mandoc = need("mandoc", package="mandoc")
    lint = subprocess.run([mandoc, "-T", "lint", file], capture_output=True, text=True)
    # Whether another page is installed here says nothing about this one.
    said = [line for line in lint.stdout.splitlines() if "referenced manual" not in line]
    assert said == []
    man = need("man", package="man-db")
    need("groff", package="groff-base")
    command = [man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(file)]
    shown = subprocess.run(command, capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_pages_name_each_other() -> None:
    assert page.CONFIG.stem in COMMAND.read_text()
    assert "Xr forkhttpd 8" in CONFIG.read_text()
