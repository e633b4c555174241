"""The environment of a program (C5), as the table that it is."""

import pytest

from forkhttpd.config import Mount
from forkhttpd.handlers.cgi import environ
from forkhttpd.handlers.cgi.environ import Script, Server
from forkhttpd.http1 import target
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import Endpoint, HeaderSection, Hop, Request, RequestLine, Version
from tests.config.files import table

SCRIPT = Script("/srv/cgi/x.py", "/cgi-bin/x.py", "/a b", "/srv/cgi", "/srv/www")


def variables(
    raw: str = "/cgi-bin/x.py/a%20b?q=1",
    *,
    method: str = "GET",
    version: Version = Version.HTTP_1_1,
    scheme: str = "http",
    host: str = "example.org",
    server: str = "192.0.2.1",
    client: str = "192.0.2.9",
    length: int | None = 0,
    body_length: int = 0,
    admin: str = "",
    script: Script = SCRIPT,
    mount: dict[str, object] | None = None,
    fields: tuple[tuple[str, str], ...] = (),
) -> dict[str, bytes]:
    request = Request(
        RequestLine(method, target.parse(raw, method), version, f"{method} {raw}"),
        HeaderSection(Fields(fields), host, length, True, False),
        hop=Hop(Endpoint(client, 4711), Endpoint(server, 8080), scheme, "hop"),
        number=2,
        received=0.0,
    )
    env = environ.build(
        request,
        script,
        body_length=body_length,
        server=Server("forkhttpd", script.root, admin),
        mount=table(Mount, {"cgi": "/srv/cgi", **(mount or {})}),
        search_path="/usr/bin",
    )
    return {name.decode(): value for name, value in env.items()}


def test_C5_a_plain_request_is_exactly_this() -> None:
    assert variables() == {
        "DOCUMENT_ROOT": b"/srv/www",
        "GATEWAY_INTERFACE": b"CGI/1.1",
        "HTTP_X_REQUEST_ID": b"hop-2",
        "PATH": b"/usr/bin",
        "PATH_INFO": b"/a b",
        "PATH_TRANSLATED": b"/srv/www/a b",
        "QUERY_STRING": b"q=1",
        "REDIRECT_STATUS": b"200",
        "REMOTE_ADDR": b"192.0.2.9",
        "REMOTE_PORT": b"4711",
        "REQUEST_METHOD": b"GET",
        "REQUEST_SCHEME": b"http",
        "REQUEST_URI": b"/cgi-bin/x.py/a%20b?q=1",
        "SCRIPT_FILENAME": b"/srv/cgi/x.py",
        "SCRIPT_NAME": b"/cgi-bin/x.py",
        "SERVER_ADDR": b"192.0.2.1",
        "SERVER_NAME": b"example.org",
        "SERVER_PORT": b"8080",
        "SERVER_PROTOCOL": b"HTTP/1.1",
        "SERVER_SOFTWARE": b"forkhttpd",
        "UNIQUE_ID": b"hop-2",
    }


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"scheme": "https"}, "HTTPS", b"on"),
        ({"scheme": "https"}, "REQUEST_SCHEME", b"https"),
        ({}, "HTTPS", None),
        ({"admin": "root@example.org"}, "SERVER_ADMIN", b"root@example.org"),
        ({}, "SERVER_ADMIN", None),
        ({"version": Version.HTTP_1_0}, "SERVER_PROTOCOL", b"HTTP/1.0"),
        ({"host": ""}, "SERVER_NAME", b"192.0.2.1"),
        ({"host": "", "server": "2001:db8::1"}, "SERVER_NAME", b"[2001:db8::1]"),
        ({"host": "", "server": ""}, "SERVER_NAME", b"localhost"),
        ({"method": "POST", "length": 5, "body_length": 5}, "CONTENT_LENGTH", b"5"),
        ({"method": "POST", "length": None, "body_length": 7}, "CONTENT_LENGTH", b"7"),
        ({"fields": (("content-length", "0"),)}, "CONTENT_LENGTH", b"0"),
        ({}, "CONTENT_LENGTH", None),
        ({"fields": (("content-type", "a/b"),)}, "CONTENT_TYPE", b"a/b"),
        ({"fields": (("content-type", "a/b"),)}, "HTTP_CONTENT_TYPE", None),
        ({"fields": (("x-a", "1"), ("x-a", "2"))}, "HTTP_X_A", b"1, 2"),
        ({"fields": (("cookie", "a=1"), ("cookie", "b=2"))}, "HTTP_COOKIE", b"a=1; b=2"),
        ({"fields": (("x-a", "gr\xfc\xdf"),)}, "HTTP_X_A", b"gr\xfc\xdf"),
        ({"fields": (("proxy", "http://evil"),)}, "HTTP_PROXY", None),
        ({"fields": (("authorization", "Basic x"),)}, "HTTP_AUTHORIZATION", None),
        ({"fields": (("te", "trailers"),)}, "HTTP_TE", None),
        ({"fields": (("transfer-encoding", "chunked"),)}, "HTTP_TRANSFER_ENCODING", None),
        ({"mount": {"env": {"PATH": "/mine"}}}, "PATH", b"/mine"),
        ({"mount": {"env": {"HTTP_X_A": "mine"}}, "fields": (("x-a", "1"),)}, "HTTP_X_A", b"mine"),
        (
            {"mount": {"pass_authorization": True}, "fields": (("authorization", "Basic x"),)},
            "HTTP_AUTHORIZATION",
            b"Basic x",
        ),
        ({"script": Script("/x", "/x", "", "/", "")}, "PATH_INFO", None),
        ({"script": Script("/x", "/x", "", "/", "")}, "PATH_TRANSLATED", None),
        ({"raw": "/x?a=%zz&b"}, "QUERY_STRING", b"a=%zz&b"),
        ({"raw": "/x"}, "QUERY_STRING", b""),
    ],
)
def test_C5_each_variable(options: dict[str, object], name: str, value: bytes | None) -> None:
    assert variables(**options).get(name) == value  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["REMOTE_USER", "AUTH_TYPE", "REMOTE_IDENT"])
def test_C5_a_login_that_nobody_checked_is_none(name: str) -> None:
    fields = (("authorization", "Basic cm9vdDo="), ("remote-user", "root"), ("auth-type", "x"))
    assert name not in variables(fields=fields, mount={"pass_authorization": True})
