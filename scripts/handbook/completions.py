"""Completions for bash, zsh and fish, written from the parsers of the command line.

Each knows the options of every command with their meanings, and where a file, a directory or one
of a few words belongs.
"""

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_NAME = "forkhttpd"
_WRITTEN = "written by scripts/manual from the parsers"


@dataclass(frozen=True)
class Option:
    """An option: its names, its meaning, and what follows it.

    value: "" for nothing, else the word that stands for it in a usage line;
    choices: the words that may follow, for those that have a list.
    """

    names: tuple[str, ...]
    meaning: str
    value: str
    choices: tuple[str, ...]
    is_path: bool


@dataclass(frozen=True)
class Command:
    """What may be typed behind a word; name: "" for the command itself."""

    name: str
    meaning: str
    options: tuple[Option, ...]


def read(main: argparse.ArgumentParser, words: Mapping[str, ModuleType]) -> tuple[Command, ...]:
    """Return every command, the one without a name first."""
    others = (_command(name, module.make_parser()) for name, module in sorted(words.items()))
    return (_command("", main), *others)


def _command(name: str, parser: argparse.ArgumentParser) -> Command:
    options = tuple(map(_option, (one for one in parser._actions if one.option_strings)))
    return Command(name, (parser.description or "").partition(":")[0].rstrip("."), options)


def _option(action: argparse.Action) -> Option:
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    choices = tuple(map(str, action.choices or ()))
    meaning = " ".join((action.help or "").split())
    return Option(tuple(action.option_strings), meaning, value, choices, action.type is Path)


def bash(commands: tuple[Command, ...]) -> str:
    """Return what goes to /usr/share/bash-completion/completions/forkhttpd."""
    first = " ".join(command.name for command in commands if command.name)
    cases = "\n".join(_bash_case(command) for command in reversed(commands))
    return f"""\
# forkhttpd in bash: {_WRITTEN}.

_forkhttpd() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} words=""
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{first} $words"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}

_forkhttpd_paths() {{ # what compgen takes for files or directories, and how they begin
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}}

complete -F _forkhttpd forkhttpd
"""


def _bash_case(command: Command) -> str:
    pattern = command.name or "*"
    names = " ".join(name for option in command.options for name in option.names)
    values = "\n".join(_bash_values(command))
    inner = f"case $previous in\n{values}\nesac\n" if values else ""
    body = textwrap.indent(f'{inner}words="{names}"\n;;', " " * 12)
    return f"        {pattern})\n{body}"


def _bash_values(command: Command) -> Iterator[str]:
    for option in command.options:
        if not option.value:
            continue
        names = " | ".join(option.names)
        if option.is_path:
            kind = "-d" if option.value == "DIRECTORY" else "-f"
            yield f'    {names}) _forkhttpd_paths {kind} "$current" && return ;;'
        else:
            words = " ".join(option.choices)
            found = f'mapfile -t COMPREPLY < <(compgen -W "{words}" -- "$current")'
            yield f"    {names}) {found} && return ;;"


def zsh(commands: tuple[Command, ...]) -> str:
    """Return what goes to /usr/share/zsh/vendor-completions/_forkhttpd."""
    names = "\n".join(
        f"        {_quoted(f'{command.name}:{command.meaning}')}" for command in commands[1:]
    )
    cases = "\n".join(_zsh_case(command) for command in reversed(commands))
    return f"""\
#compdef forkhttpd
# forkhttpd in zsh: {_WRITTEN}.

local -a commands=(
{names}
    )
case $words[2] in
{cases}
esac
"""


def _zsh_case(command: Command) -> str:
    specs = [_zsh_option(option) for option in command.options]
    if command.name:
        start = ["shift words; (( CURRENT-- ))"]
        rest = ["'*: :_default'"]
    else:
        start = ["(( CURRENT == 2 )) && _describe command commands"]
        rest = ["'*:port:'"]
    lines = [*start, "_arguments -s \\", *(f"    {spec} \\" for spec in specs), f"    {rest[0]}"]
    body = textwrap.indent("\n".join([*lines, ";;"]), " " * 8)
    return f"    {command.name or '*'})\n{body}"


def _zsh_option(option: Option) -> str:
    meaning = option.meaning.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    action = ""
    if option.is_path:
        action = "_files -/" if option.value == "DIRECTORY" else "_files"
    elif option.choices:
        action = f"({' '.join(option.choices)})"
    value = f":{option.value}:{action}" if option.value else ""
    if len(option.names) == 1:
        return _quoted(f"{option.names[0]}[{meaning}]{value}")
    excluded = _quoted(f"({' '.join(option.names)})")
    return f"{excluded}{{{','.join(option.names)}}}{_quoted(f'[{meaning}]{value}')}"


def fish(commands: tuple[Command, ...]) -> str:
    """Return what goes to /usr/share/fish/vendor_completions.d/forkhttpd.fish."""
    words = " ".join(command.name for command in commands[1:])
    lines = [f"# forkhttpd in fish: {_WRITTEN}.", "", f"complete -c {_NAME} -f"]
    for command in commands[1:]:
        what = f"-a {command.name} -d {_quoted(command.meaning)}"
        lines.append(f"complete -c {_NAME} -n __fish_use_subcommand {what}")
    for command in commands:
        seen = f"__fish_seen_subcommand_from {command.name or words}"
        condition = _quoted(seen if command.name else f"not {seen}")
        lines += [f"complete -c {_NAME} -n {condition} {_fish(one)}" for one in command.options]
    return "\n".join(lines) + "\n"


def _fish(option: Option) -> str:
    names = [f"-l {name[2:]}" if name[:2] == "--" else f"-s {name[1:]}" for name in option.names]
    value = [_fish_value(option)] if option.value else []
    return " ".join([*names, *value, "-d", _quoted(option.meaning)])


def _fish_value(option: Option) -> str:
    if not option.is_path:
        return f"-x -a {_quoted(' '.join(option.choices))}" if option.choices else "-x"
    return "-r -a '(__fish_complete_directories)'" if option.value == "DIRECTORY" else "-r -F"


def _quoted(text: str) -> str:
    """Return text in single quotes, as all three shells take it."""
    return "'" + text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}") + "'"
