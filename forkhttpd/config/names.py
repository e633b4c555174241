"""The names of the configuration: hosts, pools, variables, accounts, files.

Each is a text that ends up where a wrong character would hurt later and elsewhere (an environment,
a header, a table look-up), so it is refused here, where the operator still knows what was meant.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]"


def parse_host(name: str) -> str:
    """Return a host name in lower case: "example.org", "*.example.org", "10.0.0.1", "[::1]"."""
    host = name.lower()
    if re.fullmatch(_HOST, host) and len(host) <= 253:
        return host
    if not host.isascii():
        raise ValueError(f"not ASCII; write {_ascii_form(host)}")
    raise ValueError(
        'not a host name; write one like "example.org" or "*.example.org", '
        "without scheme, port or final dot"
    )


def _ascii_form(host: str) -> str:
    try:
        return f'"{host.encode("idna").decode("ascii")}"'
    except UnicodeError:
        return 'the name in its ASCII form, "xn--…"'


def _matching(pattern: str, otherwise: str) -> AfterValidator:
    """Return a validator for texts that match `pattern` as a whole."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(otherwise)
        return text

    return AfterValidator(check)


HostName = Annotated[str, AfterValidator(parse_host)]
PoolName = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}",
        'not a pool\'s name; write up to 32 of A-Z, a-z, 0-9, "_", "." and "-"',
    ),
]
VariableName = Annotated[
    str,
    _matching(r"[A-Za-z_][A-Za-z0-9_]*", 'not a variable\'s name; write one like "GIT_ROOT"'),
]
VariableValue = Annotated[
    str, _matching(r"(?s)[^\0]*", "a NUL cannot stand in the environment; remove it")
]
Account = Annotated[
    str, _matching(r"(?:[^\s:/\0-\x1f][^:/\0-\x1f]*)?", 'not an account; write one like "www-data"')
]
FileName = Annotated[
    str,
    _matching(r"(?s)(?!\.{1,2}\Z)[^/\0]+", 'not a file\'s name; write one like "index.html"'),
]
Suffix = Annotated[
    str, _matching(r"\.[^/\0]+", 'not a suffix; write it with its dot, as in ".php"')
]
SearchPath = Annotated[
    str,
    _matching(
        r"/[^:\0]*(?::/[^:\0]*)*",
        'not a search path; write absolute directories with ":" between, as in "/usr/bin:/bin"',
    ),
]
Umask = Annotated[str, _matching(r"0?[0-7]{3}", 'not an octal mask; write one like "022"')]
Product = Annotated[
    str, _matching(r"(?:[!-~](?:[ -~]*[!-~])?)?", "not a field's value; write printable ASCII")
]
