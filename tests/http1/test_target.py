"""Targets: what they point to, and what is refused because it could point elsewhere."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.http1 import target
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.target import Target


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/?a=b?c/../d", "/", "a=b?c/../d"),
        ("/a/b.html", "/a/b.html", ""),
        ("/a/b/", "/a/b/", ""),
        ("/a,b;c=d@e!$&'()*+:~", "/a,b;c=d@e!$&'()*+:~", ""),
        ("/a%20b", "/a b", ""),
        ("/%61%2e%7e", "/a.~", ""),
        ("/%c3%a9%F0%9F%98%80", "/é😀", ""),
        ("/%ff", "/\udcff", ""),
        ("/a%5Cb", "/a\\b", ""),
        ("/a%23b%3Fc", "/a#b?c", ""),
        ("/a%25%32%65", "/a%2e", ""),
        ('/a"b<c>|[]{}^`', '/a"b<c>|[]{}^`', ""),
        ("/?x=%zz%", "/", "x=%zz%"),
        ("/?x\\y|z", "/", "x\\y|z"),
        ("//a///b//", "/a/b/", ""),
        ("///", "/", ""),
        ("/./a/./b", "/a/b", ""),
        ("/a/../b", "/b", ""),
        ("/a/b/..", "/a/", ""),
        ("/a/.", "/a/", ""),
        ("/a/..", "/", ""),
        ("/a/%2e%2E/b", "/b", ""),
        ("/.well-known/x", "/.well-known/x", ""),
        ("/...", "/...", ""),
        ("/a/..b/.c", "/a/..b/.c", ""),
    ],
)
def test_origin_form(raw: str, path: str, query: str) -> None:
    assert target.parse(raw, "GET") == Target(raw, path, query, "", -1)
    assert target.parse(raw.encode("ascii"), "GET").path == path


def test_S8_control_characters_are_bytes_of_a_name() -> None:
    assert target.parse("/a%0Ab%1b%7F", "GET").path == "/a\nb\x1b\x7f"


@pytest.mark.parametrize(
    ("raw", "path", "encoded_slash"),
    [
        ("/a%2Fb", "/a/b", 2),
        ("/a%2fb/c%2Fd", "/a/b/c/d", 2),
        ("//a//b%2Fc", "/a/b/c", 4),
        ("/%2F", "//", 1),
        ("/cgi.py/http:%2F%2Fexample.org%2F", "/cgi.py/http://example.org/", 13),
        ("/%C3%A9/a%2Fb", "/é/a/b", 4),
    ],
)
def test_S1_an_encoded_slash_is_told_by_its_place(raw: str, path: str, encoded_slash: int) -> None:
    assert target.parse(raw, "GET") == Target(raw, path, "", "", encoded_slash)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "a/b",
        "?a",
        "*",
        "/a b",
        "/a\tb",
        "/é",
        "/a#b",
        "/?a#b",
        "/a\\b",
        "/..\\x",
        "/%",
        "/%2",
        "/%zz",
        "/%+1",
        "/% 1",
        "/a%00",
        "/..",
        "/../a",
        "/a/../..",
        "/%2e%2e/a",
        "/.%2e/a",
        "/%2e./%2e./etc/passwd",
        "/a%2F..",
        "/a%2F../b",
        "/..%2Fa",
        "/a/%2e%2e%2Fb",
        "/a%2F.%2Fb",
        "/a%2Fb/../c",
        "/a/./b%2Fc",
        "example.org:443",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http:/example.org/",
        "http://",
        "http:///a",
        "http://?a",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://a b/",
        "http://example.org:x/",
        "http://[::g]/",
        "http://example.org/#a",
        "http://example.org/../a",
        "http://example.org\\a",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: str) -> None:
    with pytest.raises(HTTPError) as caught:
        target.parse(raw, "GET")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("raw", "authority", "path", "query"),
    [
        ("http://example.org", "example.org", "/", ""),
        ("http://example.org?a", "example.org", "/", "a"),
        ("HTTPS://Example.org:8443//a/./b?c", "Example.org:8443", "/a/b", "c"),
        ("http://[::1]:80/x", "[::1]:80", "/x", ""),
    ],
)
def test_H14_absolute_form(raw: str, authority: str, path: str, query: str) -> None:
    assert target.parse(raw, "GET") == Target(raw, path, query, authority, -1)


def test_H14_options_for_the_server() -> None:
    assert target.parse("*", "OPTIONS") == Target("*", "*", "", "", -1)
    assert target.parse("http://a", "OPTIONS") == Target("http://a", "*", "", "a", -1)
    assert target.parse("http://a/", "OPTIONS").path == "/"


SPELLINGS = ["/", "//", ".", "..", "%2e", "%2E.", "%2F", "%2f", "%5C", "\\", "a", "b%20c", "%25"]
SPELLINGS += ["%c0%ae", "%00", "%", "?", "#", ";", "%252e", "é", " ", "http://h"]


@given(st.lists(st.sampled_from(SPELLINGS), max_size=12).map("".join), st.sampled_from(["", "/"]))
def test_S1_nothing_climbs_by_any_spelling(tail: str, slash: str) -> None:
    try:
        found = target.parse(slash + tail, "GET")
    except HTTPError as error:
        if error.status != 400:
            raise
        return
    assert found.path.startswith("/")
    assert not {".", ".."} & set(found.path.split("/"))
    assert not any(character < " " for character in found.path)
    before = found.path if found.encoded_slash < 0 else found.path[: found.encoded_slash + 1]
    assert "//" not in before.removesuffix("//") if found.encoded_slash >= 0 else "//" not in before


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        target.parse(b"/" + raw, "GET")
    except HTTPError as error:
        if error.status != 400:
            raise


visible = st.sampled_from([byte for byte in range(33, 256) if byte not in b"/\x7f"])
names = st.lists(visible, min_size=1, max_size=8).map(bytes)


@given(st.lists(names.filter(lambda name: name not in (b".", b".."))))
def test_a_name_of_any_bytes_can_be_escaped(segments: list[bytes]) -> None:
    escaped = "/" + "/".join("".join(f"%{byte:02X}" for byte in name) for name in segments)
    path = target.parse(escaped, "GET").path
    assert path.encode("utf-8", "surrogateescape") == b"/" + b"/".join(segments)


plain = st.text("abz09-_~!$&'()*+,;=:@.", min_size=1, max_size=5).filter(lambda s: s[0] != ".")


@given(st.lists(plain, min_size=1), st.sampled_from(["", "/"]), st.text("a=&%/?.", max_size=5))
def test_the_quick_way_gives_what_the_thorough_one_gives(
    segments: list[str], slash: str, query: str
) -> None:
    path = "/" + "/".join(segments) + slash
    quick = target.parse(f"{path}?{query}", "GET")
    thorough = target.parse(f"/.{path}?{query}", "GET")
    assert (quick.path, quick.query) == (thorough.path, thorough.query) == (path, query)


# A plainer reading: RFC 3986, one section after the other.


def plain_path(raw: str) -> bytes:
    """Return what a path means by RFC 3986 §6.2.2.2, §5.2.4 and §2.4, with slashes merged."""
    path = re.sub("%(2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])", _unescaped, raw)
    path = re.sub("/+", "/", path)
    output: list[str] = []
    while path:
        if path.startswith("/../") or path == "/..":
            path = "/" + path[4:]
            output = output[:-1]
        elif path.startswith("/./") or path == "/.":
            path = "/" + path[3:]
        else:
            end = path.find("/", 1) % (len(path) + 1)
            output.append(path[:end])
            path = path[end:]
    return unquote_to_bytes("".join(output))


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def reasons(raw: str) -> list[str]:
    """Return why a path has to be refused, if it has to."""
    segments = re.sub("%2e", ".", raw, flags=re.IGNORECASE).split("/")
    parts = [part for segment in segments for part in re.split("%2f", segment, flags=re.IGNORECASE)]
    depths, depth = [0], 0
    for segment in segments:
        depth += {"..": -1, ".": 0, "": 0}.get(segment, 1)
        depths.append(depth)
    return [
        *re.findall(r"[^!-~]|#|\\", raw),
        *re.findall("%(?![0-9a-fA-F]{2})|%00", raw),
        *(["climbs"] if min(depths) < 0 else []),
        *(["dots beside %2f"] if "%2f" in raw.lower() and {".", ".."} & set(parts) else []),
    ]


PIECES = ["/", "/", "/", ".", "..", "a", "bc", "%2e", "%2E", "%41", "%c3%a9", "%FF", "%25", "%2f"]
PIECES += ["%2F", "%5c", "%0a", "%00", "%", "%4", "%7e", "%20", "~", ";", "#", "\\", "\x7f", "..."]


@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_S1_as_a_plain_reading_gives_it(tail: str) -> None:
    raw = "/" + tail
    try:
        found = target.parse(raw, "GET")
    except HTTPError:
        assert reasons(raw)
        return
    assert not reasons(raw)
    assert found.path.encode("utf-8", "surrogateescape") == plain_path(raw)
