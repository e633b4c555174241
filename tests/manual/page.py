"""The pages of the manual, as far as their mdoc has to be understood."""

import re
from pathlib import Path

DIRECTORY = Path(__file__).parents[2] / "etc/man"
COMMAND = DIRECTORY / "forkhttpd.8"
CONFIG = DIRECTORY / "forkhttpd.conf.5"


def section(name: str, *, of: Path = COMMAND) -> str:
    """Return what stands below a heading."""
    found = re.search(rf"^\.Sh {name}$\n(.*?)(?=^\.Sh |\Z)", of.read_text(), re.M | re.S)
    assert found, f"{of.name} has no section {name}"
    return found[1]


def heads(text: str) -> list[str]:
    """Return the heads of a section's lists."""
    return re.findall(r"^\.It (.+)$", text, re.M)


def flags(line: str) -> set[str]:
    """Return the options that a line of mdoc names: `.Fl h , -help` is -h and --help."""
    found, is_flag = set(), False
    for word in line.split():
        if re.fullmatch("[A-Z][a-z]", word):
            is_flag = word == "Fl"
        elif is_flag and re.match("[-A-Za-z]", word):
            found.add(f"-{word}")
    return found


def words(line: str, macro: str) -> list[str]:
    """Return what stands behind a macro: `Dv INT , QUIT` is INT and QUIT."""
    found, _, rest = line.partition(f"{macro} ")
    return re.findall(r"[\w-]+", re.split(r" [A-Z][a-z] ", rest)[0]) if not found else []
