"""Parts of sentences about a configuration."""

import difflib
from collections.abc import Iterable
from json import dumps


def quoted(text: object) -> str:
    """Return a text in the quotes that it has in the file; a date, which TOML has, too, as one."""
    return dumps(text, ensure_ascii=False, default=str)


def listed(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def meant(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean "WORD"?` if one of the words is close, else nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {quoted(close[0])}?" if close else ""
