"""The names of the configuration: hosts, pools, variables, accounts, files.

Each is a text that ends up where a wrong character would hurt later and elsewhere (an environment,
a header, a table look-up), so it is refused here, where the operator still knows what was meant.
"""

import re
from typing import Annotated

from forkhttpd.config.schema import Checked

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


def _matching(pattern: str, otherwise: str) -> Checked:
    """Return the check of texts that match `pattern` as a whole."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(otherwise)
        return text

    return Checked(check)


HostName = Annotated[str, Checked(parse_host)]
PoolName = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}",
        'not a pool\'s name; write up to 32 of A-Z, a-z, 0-9, "_", "." and "-"',
    ),
]
ModuleName = Annotated[
    str,
    _matching(
        r"[^\W\d]\w*(?:\.[^\W\d]\w*)*",
        'not a module\'s name; write one like "json" or "xml.etree", or "auto"',
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
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110 §5.6.2

# The fields of an answer that are the server's own: they say what was found, or frame it.
_OWN_FIELDS = frozenset(
    (
        *("accept-ranges", "allow", "content-encoding", "content-length", "content-range"),
        *("content-type", "date", "etag", "last-modified", "location", "server"),
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
        "upgrade",
    )
)


def parse_field_name(name: str) -> str:
    """Return the name of a field that an operator may add to an answer."""
    if not re.fullmatch(_TOKEN, name):
        raise ValueError('not a field\'s name; write one like "Cache-Control"')
    if name.lower() in _OWN_FIELDS:
        raise ValueError("the server writes this field itself; remove it")
    return name


FieldName = Annotated[str, Checked(parse_field_name)]
FieldValue = Annotated[
    str, _matching(r"(?:[!-~](?:[\t -~]*[!-~])?)?", "not a field's value; write printable ASCII")
]
Realm = Annotated[str, _matching(r"[ -~]{0,200}", "not a realm; write up to 200 printable ASCII")]
UserName = Annotated[
    str, _matching(r"[^:\0-\x1f\x7f]{1,200}", 'not a name; write one of the file, as in "alice"')
]
MediaType = Annotated[
    str,
    _matching(
        rf'{_TOKEN}/{_TOKEN}(?: *; *{_TOKEN}=(?:{_TOKEN}|"[ !#-\[\]-~]*"))*',
        'not a media type; write one like "text/plain"',
    ),
]
LastSuffix = Annotated[
    str,
    _matching(r"\.[^./\0]+", 'not a suffix; write it with its one dot, as in ".md"'),
    Checked(str.lower),
]
Charset = Annotated[
    str, _matching(rf"(?:{_TOKEN})?", 'not a charset; write one like "utf-8", or "" for none')
]
FallbackStep = Annotated[
    str,
    _matching(
        r"(?:/(?!\.)[^/\0]+)+|\.[^/\0]+",
        'neither a file below the docroot, as in "/index.html", nor a suffix, as in ".html"',
    ),
]


def parse_mount_path(path: str) -> str:
    """Return the path that a mount stands for."""
    segments = path.split("/")
    if segments[0] or len(segments) == 1 or {".", ".."} & set(segments) or "//" in path:
        raise ValueError('not a path; it begins with "/" and has no "//", "." or ".." in it')
    return path


def parse_redirect(text: str) -> str:
    """Return where a mount has moved: a path on this host, or an address with its scheme."""
    match = re.fullmatch(r"(https?://[!-.0-~]+)?(/[!-~]*)?", text)
    if match is None or (match[2] or "").startswith("//") or set(text) & set('?#@\\"<>'):
        raise ValueError(
            'neither a path, as in "/new/", nor an address, as in "https://example.org/"'
        )
    return text


MountPath = Annotated[str, Checked(parse_mount_path)]
RedirectTarget = Annotated[str, Checked(parse_redirect)]
ErrorStatus = Annotated[
    str, _matching(r"[45][0-9]{2}", "not the status of an error; write a number from 400 to 599")
]
SocketMode = Annotated[str, _matching(r"0?[0-7]{3}", 'not an octal mode; write one like "660"')]
Umask = Annotated[str, _matching(r"0?[0-7]{3}", 'not an octal mask; write one like "022"')]
Product = Annotated[
    str, _matching(r"(?:[!-~](?:[ -~]*[!-~])?)?", "not a field's value; write printable ASCII")
]
