"""README.md's examples, to be run as they stand but for paths and users.

An operator copies them; so does each test here, which then changes what it must, and fails when
the words to be changed are not there any more.
"""

import re
from pathlib import Path

from tests.live.daemon import SITE

_README = Path(__file__).parents[2] / "README.md"


def section(title: str) -> str:
    """Return the text below a heading of the second level."""
    text = _README.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert text, f"README.md has no section {title!r}"
    return text


def example(title: str, language: str) -> str:
    """Return the one block of a language in a section."""
    pattern = rf"^```{language}\n(.*?)^```$"
    (found,) = re.findall(pattern, section(title), re.MULTILINE | re.DOTALL)
    return str(found)


def changed(text: str, **changes: str) -> str:
    """Return a text with other words; each of the old ones, `{"/srv/git": …}`, must be there."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the example"
        text = text.replace(old, new)
    return text


def with_mounts(mounts: str, *, pool: str = "") -> str:
    """Return a whole configuration with an example's pools and mounts."""
    tables, _, rest = mounts.partition("[[site.mount]]")
    return SITE.replace("[[site]]", f"{pool}\n{tables}\n[[site]]", 1) + f"\n[[site.mount]]{rest}"
