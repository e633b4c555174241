"""README's table "Coming from http.server --cgi": each row is asked of both servers (O4).

A cell says what is observed, between backquotes; the functions below observe it.
"""

import contextlib
import http.client
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.daemon import DEADLINE, wait_for

README = (Path(__file__).parents[2] / "README.md").read_text()

# A program in the shell, which every user may run: http.server becomes nobody, started as root.
PROGRAM = """\
#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "argument=$1"
echo "directory=$(pwd)"
echo "body=$(head -c "${CONTENT_LENGTH:-0}")"
echo "input=$(readlink /proc/self/fd/0 | cut -d: -f1)"
echo "user=$(id -un)"
env
"""
STATUS = '#!/bin/sh\necho "Status: 404 Gone fishing"\necho\n'
MOVED = '#!/bin/sh\necho "Location: http://localhost/elsewhere"\necho\n'
BROKEN = "#!/bin/sh\nexit 1\n"
PYTHON = "print('Content-Type: text/plain\\n')\nprint('hello')\n"


@dataclass(frozen=True)
class Answer:
    status: int
    fields: http.client.HTTPMessage
    body: str

    def line(self, name: str) -> str:
        """Return what a program said of a name, "nothing" if it did not."""
        found = re.search(rf"^{name}=(.+)$", self.body, re.MULTILINE)
        return found[1] if found else "nothing"


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    directory: Path

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: str | None = None,
        fields: dict[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> Answer:
        with contextlib.closing(http.client.HTTPConnection(host, self.port, DEADLINE)) as session:
            session.request(method, path, body, fields or {})
            response = session.getresponse()
            return Answer(response.status, response.headers, response.read().decode())

    def status(self, path: str, *, method: str = "GET", **fields: str) -> str:
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        return str(self.ask(path, method=method, fields=names).status)

    def told(self, name: str, path: str = "/cgi-bin/env.cgi", **fields: str) -> str:
        names = {field.replace("_", "-"): value for field, value in fields.items()}
        return self.ask(path, fields=names).line(name)


def lay_out(root: Path) -> None:
    """Make what is served, and what lies beside it."""
    files = {
        "outside.txt": "outside",
        "site/hello.txt": "hello",
        "site/.hidden": "hidden",
        "site/page/index.html": "page",
        "site/old/index.htm": "old page",
        "site/list/a b.txt": "listed",
        "site/cgi-bin/plain.py": PYTHON,
        "site/cgi-bin/plain.cgi": PROGRAM,
    }
    programs = {
        "site/cgi-bin/env.cgi": PROGRAM,
        "site/cgi-bin/deep/er/env.cgi": PROGRAM,
        "site/htbin/env.cgi": PROGRAM,
        "site/cgi-bin/status.cgi": STATUS,
        "site/cgi-bin/moved.cgi": MOVED,
        "site/cgi-bin/broken.cgi": BROKEN,
    }
    for name, content in {**files, **programs}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if name in programs else 0o644)
    (root / "site/link.txt").symlink_to("cgi-bin/env.cgi")
    (root / "site/out.txt").symlink_to("../outside.txt")


@contextlib.contextmanager
def running(name: str, module: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="forkhttpd-") as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        lay_out(root)
        words = root / "words"
        with open(words, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", module, "--cgi", "0", "--directory", root / "site"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "SECRET": "inherited"},
                cwd=root,
            )
        try:
            found = wait_for(
                lambda: (
                    re.search(r"http://[0-9.]+:([0-9]+)/", words.read_text())
                    or process.poll() is not None
                ),
                "an address",
            )
            assert isinstance(found, re.Match), words.read_text()
            yield Server(name, int(found[1]), root)
        finally:
            process.terminate()
            process.wait(DEADLINE)


@pytest.fixture(scope="module")
def before() -> Iterator[Server]:
    if sys.version_info >= (3, 15):
        pytest.skip("this Python has no http.server --cgi any more")
    with running("before", "http.server") as server:
        yield server


@pytest.fixture(scope="module")
def now() -> Iterator[Server]:
    with running("now", "forkhttpd") as server:
        yield server


def is_reached_by(server: Server, host: str) -> str:
    try:
        return str(server.ask("/hello.txt", host=host).status)
    except ConnectionRefusedError:
        return "refused"


def listed(server: Server) -> str:
    (link,) = re.findall(r'href="([^"]*[.]txt)"', server.ask("/list/").body)
    return str(link)


def is_in_list(server: Server, name: str) -> str:
    return "listed" if name in server.ask("/").body else "not listed"


def input_of(server: Server) -> str:
    return "the connection" if server.told("input") == "socket" else "the body"


def directory_of(server: Server) -> str:
    return Path(server.told("directory")).relative_to(server.directory).as_posix()


def lengths(server: Server) -> str:
    answer = server.ask("/hello.txt", method="HEAD")
    return f"{answer.status}, {answer.fields['Content-Length']}, {len(answer.body)}"


def redirect(server: Server, path: str) -> str:
    answer = server.ask(path)
    return f"{answer.status} {answer.fields['Location']}"


def posted(server: Server) -> str:
    return server.ask("/cgi-bin/env.cgi", method="POST", body="name=value").line("body")


def fresh(server: Server) -> str:
    date = str(server.ask("/hello.txt").fields["Last-Modified"])
    return server.status("/hello.txt", If_Modified_Since=date)


def media_type(server: Server) -> str:
    return str(server.ask("/hello.txt").fields["Content-Type"])


OBSERVE: dict[str, Callable[[Server], str]] = {
    "`GET /page/` with an `index.html`": lambda s: s.ask("/page/").body,
    "the same with an `index.htm`": lambda s: s.ask("/old/").body,
    "`GET /page`, a directory": lambda s: redirect(s, "/page"),
    "the same with a query, `/page?a=b`": lambda s: redirect(s, "/page?a=b"),
    "a directory without index: the link to `a b.txt`": listed,
    "`GET /none`": lambda s: s.status("/none"),
    "`GET /hello%2Etxt`": lambda s: s.ask("/hello%2Etxt").body,
    "`HEAD /hello.txt`: status, `Content-Length`, bytes that come": lengths,
    "`If-Modified-Since` with the date that it had": fresh,
    "`BREW /hello.txt`": lambda s: s.status("/hello.txt", method="BREW"),
    "`/cgi-bin/env.cgi?a=b+c`: `QUERY_STRING`": lambda s: s.told(
        "QUERY_STRING", "/cgi-bin/env.cgi?a=b+c"
    ),
    "`POST`: what comes on standard input": posted,
    "`/cgi-bin/env.cgi/x/y%20z`: `PATH_INFO`": lambda s: s.told(
        "PATH_INFO", "/cgi-bin/env.cgi/x/y%20z"
    ),
    "`/cgi-bin/deep/er/env.cgi/x`: `SCRIPT_NAME`": lambda s: s.told(
        "SCRIPT_NAME", "/cgi-bin/deep/er/env.cgi/x"
    ),
    "a program in `/htbin`": lambda s: s.told("SCRIPT_NAME", "/htbin/env.cgi"),
    "`HTTP_USER_AGENT`": lambda s: s.told("HTTP_USER_AGENT", User_Agent="me/1"),
    "`REMOTE_ADDR`": lambda s: s.told("REMOTE_ADDR"),
    "`GATEWAY_INTERFACE`": lambda s: s.told("GATEWAY_INTERFACE"),
    "`GET /cgi-bin/`": lambda s: s.status("/cgi-bin/"),
    "`GET /cgi-bin/none.py`": lambda s: s.status("/cgi-bin/none.py"),
    "a script without `+x`": lambda s: s.status("/cgi-bin/plain.cgi"),
    "who reaches it: `http://127.0.0.2`, say": lambda s: is_reached_by(s, "127.0.0.2"),
    "a Python script without `+x`": lambda s: s.status("/cgi-bin/plain.py"),
    "a link to a program, among the files": lambda s: s.status("/link.txt"),
    "a link that leads out of the directory": lambda s: s.status("/out.txt"),
    "`GET /.hidden`": lambda s: s.status("/.hidden"),
    "`.hidden` in the list of its directory": lambda s: is_in_list(s, ".hidden"),
    "`POST` to a file": lambda s: s.status("/hello.txt", method="POST"),
    "`Range: bytes=0-1`": lambda s: s.status("/hello.txt", Range="bytes=0-1"),
    "the type of `hello.txt`": media_type,
    "a program that says `Status: 404`": lambda s: s.status("/cgi-bin/status.cgi"),
    "a program that says `Location: http://…`": lambda s: s.status("/cgi-bin/moved.cgi"),
    "a program that fails before it says anything": lambda s: s.status("/cgi-bin/broken.cgi"),
    "`HTTP_X_TOKEN` of a request with `X-Token: t`": lambda s: s.told("HTTP_X_TOKEN", X_Token="t"),
    "`REMOTE_USER` of a request with `Authorization`, which nobody checks": lambda s: s.told(
        "REMOTE_USER", Authorization="Basic ZXZlOng="
    ),
    "`SECRET=inherited` of the server's environment": lambda s: s.told("SECRET"),
    "`CONTENT_TYPE` of a request that has none": lambda s: s.told("CONTENT_TYPE"),
    "`SERVER_PROTOCOL`": lambda s: s.told("SERVER_PROTOCOL"),
    "the program's argument with `?word`": lambda s: s.told("argument", "/cgi-bin/env.cgi?word"),
    "standard input, whose end a program may wait for": input_of,
    "the program's directory": directory_of,
    "the program's user, when root starts the server": lambda s: s.told("user"),
}


def rows() -> dict[str, tuple[str, str]]:
    section = README.partition("Coming from http.server --cgi")[2].partition("\n#")[0]
    found = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    return {name: (there, here) for name, there, here in found[2:]}


def test_every_row_is_observed_and_nothing_else() -> None:
    assert list(rows()) == list(OBSERVE)


@pytest.mark.parametrize("row", OBSERVE)
def test_O4_the_table_is_true(row: str, now: Server, request: pytest.FixtureRequest) -> None:
    if "root" in row and os.geteuid() != 0:
        pytest.skip("only root can be root")
    there, here = rows()[row]
    assert f"`{OBSERVE[row](now)}`" in here
    before = request.getfixturevalue("before")
    assert f"`{OBSERVE[row](before)}`" in there
