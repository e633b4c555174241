"""Which site and which mount a request belongs to (H2, S3, S11)."""

import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from forkhttpd.config.load import load
from forkhttpd.handlers.cgi.program import Program
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.response import Response
from forkhttpd.loop import Loop
from forkhttpd.worker.guards import unguarded
from forkhttpd.worker.router import Router
from tests.config.files import LISTEN, write
from tests.handlers.driver import content_of, run
from tests.worker.making import get, request


class Started(Exception):
    """A program would have been started; `file` is its script's."""

    def __init__(self, argv: Sequence[str], env: Mapping[bytes, bytes]) -> None:
        super().__init__(argv)
        self.file = argv[-1]
        self.path_info = env.get(b"PATH_INFO", b"").decode()


async def launch(
    pool: str,
    *,
    argv: Sequence[str],
    env: Mapping[bytes, bytes],
    cwd: str,
    leave_background: bool,
    share: tuple[str, int],
    has_input: bool,
    spool: int | None,
    heir: object,
) -> Program:
    """Start nothing, and tell the test what would have been."""
    raise Started(argv, env)


Make = Callable[[str], Router]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a router from sites, in the configuration's words."""
    failures: list[Exception] = []
    loop = Loop(report=failures.append)

    def build(sites: str) -> Router:
        config = load(write(tmp_path, LISTEN + sites))
        return Router(
            config, loop=loop, launch=launch, guard=unguarded, log=logging.getLogger("test")
        )

    yield build
    loop.close()
    assert failures == []


def answer(router: Router, target: str, host: str = "example.org", method: str = "GET") -> Response:
    raw = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    awaitable: Awaitable[Response] = router.respond(request(raw))
    return run(cast("Coroutine[Any, Any, Response]", awaitable))


def told(router: Router, target: str, host: str = "example.org") -> str:
    """Return what is served, by its content; the script that is started; or the status."""
    try:
        return content_of(answer(router, target, host)).decode()
    except HTTPError as error:
        return str(error.status)
    except Started as started:
        return f"run {Path(started.file).name}{started.path_info}"


def file(path: Path, content: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def mount(path: str, **keys: str) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in keys.items())
    return f'[[site.mount]]\npath = "{path}"\n{lines}'


# S3: mounts


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/page", "root"),
        ("/a/page", "a"),
        ("/a/b/page", "a/b"),
        ("/a/bb/page", "404"),
        ("/ab/page", "root/ab"),
        ("/a%2Fb/page", "404"),
        ("/%61/page", "a"),
        ("//a//page", "a"),
        ("/./a/./page", "a"),
        ("/x/../a/page", "a"),
        ("/a/b/../page", "a"),
        ("/A/page", "404"),
        ("/a", "301"),
        ("/page/", "404"),
    ],
)
def test_S3_mounts_match_on_segment_boundaries_and_the_longest_wins(
    make: Make, tmp_path: Path, target: str, expected: str
) -> None:
    for name in ("root", "root/ab", "a", "a/b"):
        file(tmp_path / "www" / name / "page", name)
    file(tmp_path / "root2" / "page", "root")
    file(tmp_path / "root2" / "ab" / "page", "root/ab")
    router = make(
        "[[site]]\n"
        + mount("/a/", docroot='"www/a"')
        + mount("/", docroot='"root2"')
        + mount("/a/b", docroot='"www/a/b"')
    )
    if expected == "301":
        assert answer(router, target).status == 301
    else:
        assert told(router, target) == expected
        assert told(router, target) == expected  # and from what is remembered


def test_a_path_without_a_mount_is_404(make: Make, tmp_path: Path) -> None:
    file(tmp_path / "www" / "page", "here")
    router = make("[[site]]\n" + mount("/files/", docroot='"www"'))
    assert told(router, "/files/page") == "here"
    for target in ("/page", "/", "/filespage", "/file"):
        assert told(router, target) == "404"


def test_what_is_remembered_is_bounded(make: Make, tmp_path: Path) -> None:
    file(tmp_path / "www" / "page", "here")
    router = make("[[site]]\n" + mount("/", docroot='"www"'))
    for number in range(5000):
        assert told(router, f"/none{number}") == "404"
    assert len(router._memory) < 5000
    assert told(router, "/page") == "here"


# Programs


def test_programs_and_files_by_their_mounts(make: Make, tmp_path: Path) -> None:
    file(tmp_path / "www" / "page", "here")
    file(tmp_path / "www" / "cgi-bin" / "trap", "a file below the docroot")
    file(tmp_path / "cgi" / "script", "#!/bin/sh\n", 0o755)
    file(tmp_path / "one", "#!/bin/sh\n", 0o755)
    router = make(
        "[[site]]\n"
        + mount("/", docroot='"www"')
        + mount("/cgi-bin/", cgi='"cgi"')
        + mount("/app/", cgi='"one"')
    )
    assert told(router, "/page") == "here"
    assert told(router, "/cgi-bin/script") == "run script"
    assert told(router, "/cgi-bin/script/a/b") == "run script/a/b"
    assert told(router, "/app/any/thing") == "run one/any/thing"
    assert told(router, "/app") == "run one"
    # Neither kind falls back to the other.
    assert told(router, "/cgi-bin/trap") == "404"
    assert told(router, "/cgi-bin/page") == "404"
    assert told(router, "/cgi-bin") == "403"
    assert told(router, "/cgi-binx/script") == "404"


def test_of_equal_paths_the_one_with_a_matching_suffix_wins(make: Make, tmp_path: Path) -> None:
    file(tmp_path / "www" / "x.php", "<?php")
    file(tmp_path / "www" / "y.txt", "a file")
    file(tmp_path / "www" / "d.php" / "z.txt", "deep")
    router = make(
        "[[site]]\n"
        + mount("/", docroot='"www"')
        + mount("/", cgi='"www"', suffix='[".php"]', interpreter='"/bin/true"')
    )
    assert told(router, "/x.php") == "run x.php"
    assert told(router, "/x.php/more") == "run x.php/more"
    assert told(router, "/y.txt") == "a file"
    assert told(router, "/none.php") == "404"
    assert "run" not in told(router, "/y.txt?x.php")


def test_directories_belong_to_the_suffix_whose_index_stands_for_them(
    make: Make, tmp_path: Path
) -> None:
    for directory in ("app", "app/deep"):
        file(tmp_path / directory / "index.php", "<?php")
        file(tmp_path / directory / "style.css", "a file")
    file(tmp_path / "app" / "files" / "index.html", "a page")
    router = make(
        "[[site]]\n"
        + mount("/app/", docroot='"app"', listing="true")
        + mount("/app/", cgi='"app"', suffix='[".php"]', index='["index.php"]',
                interpreter='"/bin/true"')
    )  # fmt: skip
    for target in ("/app/", "/app/deep/"):
        assert told(router, target) == "run index.php"
    assert told(router, "/app/deep/index.php/more") == "run index.php/more"
    assert told(router, "/app/deep/style.css") == "a file"
    for target in ("/app", "/app/deep"):
        assert answer(router, target).status == 301
    # No falling back, here neither: the mount has said that directories are its own.
    assert told(router, "/app/files/") == "403"
    assert told(router, "/app/files/index.html") == "a page"


def test_S11_a_program_is_never_a_file_wherever_it_is_found(make: Make, tmp_path: Path) -> None:
    """By another mount, another site, another name, or a link."""
    script = file(tmp_path / "all" / "cgi" / "deep" / "script", "SOURCE", 0o755)
    one = file(tmp_path / "all" / "one", "SOURCE", 0o755)
    for name in ("lib.PHP", "lib.cgi", "lib.CGI"):
        file(tmp_path / "all" / name, "SOURCE")
    file(tmp_path / "all" / "cgi-not", "a file")
    (tmp_path / "all" / "link").symlink_to("cgi/deep/script")
    (tmp_path / "all" / "link2").symlink_to("one")
    os.link(script, tmp_path / "all" / "cgi" / "hard")
    router = make(
        "[[site]]\n"
        + mount("/", docroot='"all"')
        + mount("/cgi-bin/", cgi='"all/cgi"')
        + mount("/one", cgi='"all/one"')
        + mount("/php/", cgi='"all"', suffix='[".php", ".CGI"]', interpreter='"/bin/true"')
        + '[[site]]\nnames = ["other.example"]\n'
        + mount("/", docroot='"all"')
    )
    for host in ("example.org", "other.example"):
        for target in ("/cgi/deep/script", "/link", "/link2", "/cgi/hard"):
            assert told(router, target, host) == "404", (host, target)
        for target in ("/lib.PHP", "/lib.cgi", "/lib.CGI"):
            assert told(router, target, host) == "404", (host, target)
        assert told(router, "/cgi-not", host) == "a file"
    assert told(router, "/one", "other.example") == "404"
    assert one.exists()


# H2: sites


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("first.example", "first"),
        ("second.example", "second"),
        ("SECOND.example", "second"),
        ("second.example.", "second"),
        ("second.example:8000", "second"),
        ("a.second.example", "wild"),
        ("a.b.second.example", "wild"),
        ("named.second.example", "second"),
        ("asecond.example", "first"),
        ("nobody.example", "first"),
        ("192.0.2.1", "first"),
        ("..", "first"),
    ],
)
def test_H2_the_site_of_a_host(make: Make, tmp_path: Path, host: str, expected: str) -> None:
    names = {
        "first": '"first.example"',
        "wild": '"*.second.example"',
        "second": '"Second.Example", "named.second.example"',
    }
    sites = ""
    for name, hosts in names.items():
        file(tmp_path / name / "page", name)
        sites += f"[[site]]\nnames = [{hosts}]\n" + mount("/", docroot=f'"{name}"')
    router = make(sites)
    assert told(router, "/page", host) == expected
    assert told(router, "/page", host) == expected


def test_H2_a_request_without_a_host_is_for_the_first_site(make: Make, tmp_path: Path) -> None:
    file(tmp_path / "www" / "page", "first")
    router = make("[[site]]\n" + mount("/", docroot='"www"'))
    asked = request(b"GET /page HTTP/1.0\r\n\r\n")
    response = run(cast("Coroutine[Any, Any, Response]", router.respond(asked)))
    assert content_of(response) == b"first"


def test_H14_options_of_the_server_are_for_no_mount(make: Make, tmp_path: Path) -> None:
    file(tmp_path / "one", "#!/bin/sh\n", 0o755)
    router = make("[[site]]\n" + mount("/", cgi='"one"'))
    response = answer(router, "*", method="OPTIONS")
    assert response.status == 204
    assert dict(response.fields)["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert get("*", method="OPTIONS").path == "*"
