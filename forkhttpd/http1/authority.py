"""The authority of a request: a host and an optional port, from Host or an absolute target.

What passes is what can name a host here: an IPv6 address in brackets, or the characters that host
names and IPv4 addresses are made of.  The rest of the grammar of RFC 3986 §3.2.2 (percent escapes,
`$&'();` and the like) never named a host, but it does reach programs as HTTP_HOST, where it is
good for nothing but injection; user information is forbidden by RFC 9110 §4.2.4.
"""

import ipaddress
import re

from forkhttpd.http1.errors import HTTPError

_AUTHORITY = re.compile(
    r"(?:(?P<name>[A-Za-z0-9._~-]{1,255})|\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\])(?::[0-9]{0,5})?"
)


def parse_host(authority: str) -> str:
    """Return the host of `host[:port]` in lower case, an IPv6 address with its brackets.

    Raises HTTPError 400 for anything else, the empty string included: an http URI has a host
    (RFC 9110 §4.2.1).
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise HTTPError(400, "the host is neither a name nor an address")
    name: str | None = match["name"]
    return name.lower() if name is not None else _ipv6_host(match["ipv6"])


def _ipv6_host(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise HTTPError(400, "the host is not an IPv6 address") from None
    return f"[{text.lower()}]"
