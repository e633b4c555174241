"""A request's target: where it points to, decoded once and for all.

Everything after this module (access rules, routing, opening, the CGI environment) works on one
value of the path, so no two of them can read it differently.  What cannot be read in one way only
is refused with 400: a dot segment beside an encoded slash, an escape that is none, an escape of
NUL, which ends a name for the kernel, a fragment.  Other control characters are bytes of a name
like any other, since files have them; whoever writes a path anywhere escapes it again.

A backslash is refused as it stands: it is not in the grammar of a URI, and browsers turn it into a
slash, so whoever sends one hopes that somebody on the way does the same.  `%5C` is a byte of a name
like any other, as it is to the kernel.  The query is not looked into: what it means is its
reader's business.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from forkhttpd.http1.authority import parse_host
from forkhttpd.http1.errors import HTTPError


@dataclass(frozen=True, slots=True)
class Target:
    """What stands between method and version of a request line.

    raw: as received;
    path: begins with "/", decoded, without empty and dot segments, its trailing slash kept; bytes
        that are not UTF-8 are surrogates (as in `os.fsdecode`); "*" for the server as a whole;
    query: as received, without "?", "" when there is none;
    authority: of the absolute form, `host[:port]` as received; "" for the other forms;
    encoded_slash: index in `path` of the first slash that was written %2F, or -1.  Slashes behind
        it may stand side by side: they are data, and only PATH_INFO may have them.
    """

    raw: str
    path: str
    query: str
    authority: str
    encoded_slash: int

    @property
    def scheme(self) -> str:
        """Of the absolute form, "http" or "https"; "" for the other forms."""
        return self.raw.partition(":")[0].lower() if self.authority else ""


# Most targets need no decoding: no escape, no empty segment, no segment that begins with a dot.
# The quantifiers are possessive: there is one way to match and failing takes linear time.
_PLAIN = re.compile(
    r"((?:/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*+)++/?|/)"
    r"(?:\?([!\"$-~]*+))?"
)
_VISIBLE = re.compile(r"[!\"$-~]+")  # printable ASCII without "#"
_ABSOLUTE = re.compile(r"https?://([^/?]*+)(.*+)", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOTS = (".", "..")


def parse(raw: bytes | str, method: str) -> Target:
    """Read a target in origin, absolute or (OPTIONS only) asterisk form, RFC 9112 §3.2.

    Raises HTTPError 400.
    """
    text = raw if isinstance(raw, str) else raw.decode("latin-1")
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        path, query = plain.groups("")
        return Target(text, path, query, "", -1)
    if _VISIBLE.fullmatch(text) is None:
        raise HTTPError(400, "a character in the target that must not be there")
    if text.startswith("/"):
        return _from_path(text, text, authority="")
    if text == "*" and method == "OPTIONS":
        return Target(text, "*", "", "", -1)
    return _absolute_form(text, method)


def _absolute_form(text: str, method: str) -> Target:
    match = _ABSOLUTE.fullmatch(text)
    if match is None:
        raise HTTPError(400, "the target has none of the forms of RFC 9112 section 3.2")
    authority, rest = match.groups()
    parse_host(authority)
    if not rest and method == "OPTIONS":  # RFC 9112 §3.2.4: the same as the asterisk
        return Target(text, "*", "", authority, -1)
    return _from_path(text, rest if rest.startswith("/") else f"/{rest}", authority=authority)


def _from_path(raw: str, path_and_query: str, *, authority: str) -> Target:
    raw_path, _, query = path_and_query.partition("?")
    path, encoded_slash = _normalize(raw_path)
    return Target(raw, path, query, authority, encoded_slash)


def _normalize(raw_path: str) -> tuple[str, int]:
    if "\\" in raw_path:
        raise HTTPError(400, "a backslash in the target")
    if _BAD_ESCAPE.search(raw_path):
        raise HTTPError(400, "a bad percent escape in the target")
    segments = [_decode(segment) for segment in raw_path.split("/")[1:]]
    _refuse_dots_beside_encoded_slash(segments)
    kept = _remove_dots(segments)
    directory = kept and segments[-1] in ("", *_DOTS)
    return "/" + "/".join(kept) + ("/" if directory else ""), _find_encoded_slash(kept)


def _decode(segment: str) -> str:
    if "%" not in segment:
        return segment
    decoded = unquote_to_bytes(segment)
    if b"\0" in decoded:
        raise HTTPError(400, "a NUL in the target")
    return decoded.decode("utf-8", "surrogateescape")


def _refuse_dots_beside_encoded_slash(segments: list[str]) -> None:
    """Refuse `a%2F..` and `a%2Fb/..`: whoever decodes before removing dots goes elsewhere."""
    if any("/" in segment for segment in segments) and any(
        part in _DOTS for segment in segments for part in segment.split("/")
    ):
        raise HTTPError(400, "a dot segment beside an encoded slash")


def _remove_dots(segments: list[str]) -> list[str]:
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if not kept:
                raise HTTPError(400, "the target climbs above the root")
            kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    return kept


def _find_encoded_slash(kept: list[str]) -> int:
    position = 1
    for segment in kept:
        if "/" in segment:
            return position + segment.index("/")
        position += len(segment) + 1
    return -1
