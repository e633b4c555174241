"""Git over HTTP as README.md shows it: clone and push through git-http-backend (C18, C3).

The configuration is README's own example, with other paths and users, so that it stays true.
"""

import dataclasses
import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import await_end, wait_for
from tests.programs.curl import curl
from tests.programs.forge import IS_ROOT, Forge, check, configuration, forge, git
from tests.programs.manual import section
from tests.programs.memory import growth_of

SECTION = section("Git over HTTP")

LARGE = 40 << 20  # bytes
MOST_GROWTH = 8 << 20  # bytes


@pytest.fixture(scope="module", params=["cold", "warm"])
def warm(request: pytest.FixtureRequest) -> bool:
    """Whether the pool is; git-http-backend is none of a warm pool's own, and runs all the same."""
    return bool(request.param == "warm")


@pytest.fixture(scope="module")
def read_only(warm: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forge(tmp_path_factory.mktemp("clones"), configuration(warm=warm)) as served:
        yield served


@pytest.fixture(scope="module")
def writable(warm: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    config = configuration(warm=warm, REMOTE_USER="team")
    with forge(tmp_path_factory.mktemp("clones"), config) as served:
        yield served


@pytest.fixture
def reading(read_only: Forge, tmp_path: Path) -> Forge:
    """As the example stands."""
    return dataclasses.replace(read_only, clones=tmp_path)


@pytest.fixture
def writing(writable: Forge, tmp_path: Path) -> Forge:
    """With what the text below the example says about a push."""
    assert '`REMOTE_USER = "team"`' in SECTION
    return dataclasses.replace(writable, clones=tmp_path)


# Clone


def test_C18_clone(reading: Forge) -> None:
    reading.clone("whole")
    log = check(git("log", "--format=%s", where=reading.clones / "whole"))
    assert log.split("\n") == ["commit 2", "commit 1", "commit 0", ""]
    assert (reading.clones / "whole" / "file2").read_text() == "content 2\n"


def test_C18_shallow_clone_and_deepening(reading: Forge) -> None:
    reading.clone("shallow", "--depth=1")
    shallow = reading.clones / "shallow"
    assert check(git("rev-list", "--count", "HEAD", where=shallow)) == "1\n"
    check(git("fetch", "-q", "--unshallow", where=shallow))
    assert check(git("rev-list", "--count", "HEAD", where=shallow)) == "3\n"


def test_C18_a_fetch_that_git_compresses(reading: Forge) -> None:
    """Git sends what it wants and has with gzip when that is over a kilobyte."""
    for number in range(40):
        tree = reading.served("rev-parse", "main^{tree}")
        commit = reading.served("commit-tree", "-m", f"branch {number}", tree)
        reading.served("branch", f"branch{number}", commit)
    trace = reading.clone("branches", GIT_TRACE_CURL="1")
    assert "Content-Encoding: gzip" in trace
    branches = check(git("branch", "-r", where=reading.clones / "branches"))
    assert branches.count("origin/branch") == 40


def test_C18_the_old_protocol(reading: Forge) -> None:
    reading.clone("old", "-c", "protocol.version=0")
    assert check(git("rev-list", "--count", "HEAD", where=reading.clones / "old")) == "3\n"


# Push


def push(forge: Forge, name: str, content: bytes) -> str:
    """Commit a new file in a clone and push it; return the trace of it."""
    forge.clone("mine")
    mine = forge.clones / "mine"
    (mine / name).write_bytes(content)
    check(git("add", name, where=mine))
    check(git("commit", "-qm", "new", where=mine))
    trace = check(git("push", "origin", "main", where=mine, GIT_TRACE_CURL="1"))
    assert forge.served("rev-parse", "main") == check(git("rev-parse", "HEAD", where=mine)).strip()
    return trace


def test_C18_a_small_push_comes_with_its_length(writing: Forge) -> None:
    trace = push(writing, "small", b"a few words\n")
    assert re.search(r"Send header: Content-Length: [1-9]", trace)
    assert "Send header: Transfer-Encoding" not in trace
    assert writing.served("cat-file", "-p", "main:small") == "a few words"


def test_C3_C18_a_push_of_megabytes_comes_in_chunks(writing: Forge) -> None:
    content = os.urandom(5 << 20)  # git's http.postBuffer is 1 MiB
    trace = push(writing, "medium", content)
    assert "Send header: Transfer-Encoding: chunked" in trace
    assert writing.served("cat-file", "-s", "main:medium") == str(len(content))
    check(git("fsck", "--strict", where=writing.clones / "mine"))
    writing.served("fsck", "--strict")


def test_C18_after_a_push_git_tidies_up_in_the_background(writing: Forge) -> None:
    """Which `background = "leave"` lets it: 256 loose objects and more are to become a pack."""
    assert '`background = "leave"`' in SECTION
    writing.served("config", "receive.unpackLimit", "10000")
    writing.served("config", "gc.auto", "1")
    writing.clone("mine")
    mine = writing.clones / "mine"
    for number in range(1500):
        (mine / f"many{number}").write_text(f"{number}\n")
    check(git("add", ".", where=mine))
    check(git("commit", "-qm", "many", where=mine))
    check(git("push", "origin", "main:many", where=mine))
    writing.served("config", "gc.auto", "0")
    loose = "count: 0\n"
    wait_for(lambda: loose in writing.served("count-objects", "-v") + "\n", "a pack of all")
    wait_for(lambda: not [*writing.root.rglob("gc.*")], "the end of its locks")


def test_C18_without_a_user_a_push_is_refused(reading: Forge) -> None:
    reading.clone("mine")
    before = reading.served("rev-parse", "main")
    mine = reading.clones / "mine"
    check(git("commit", "-q", "--allow-empty", "-m", "unwanted", where=mine))
    done = git("push", "origin", "main", where=mine)
    assert done.returncode != 0
    assert "403" in done.stderr
    assert reading.served("rev-parse", "main") == before


# C3: what is large


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one large file that nothing can compress."""
    work = tmp_path_factory.mktemp("large")
    check(git("init", "-q", "-b", "main", where=work))
    check(git("config", "core.compression", "0", where=work))
    (work / "blob").write_bytes(os.urandom(LARGE))
    check(git("add", "blob", where=work))
    check(git("commit", "-qm", "large", where=work))
    return work


def test_C3_C18_a_push_of_40_MiB_in_chunks_costs_no_memory(writing: Forge, large: Path) -> None:
    push(writing, "first", b"so that all is loaded that a push needs\n")
    with growth_of(writing.running) as growth:
        trace = check(git("push", writing.url, "main:large", where=large, GIT_TRACE_CURL="1"))
    assert "Send header: Transfer-Encoding: chunked" in trace
    assert writing.served("cat-file", "-s", "large:blob") == str(LARGE)
    assert len(growth.bytes) == 4, "two workers, and the spawners of two pools"
    assert growth.worst < MOST_GROWTH, growth


def test_C3_C18_a_push_of_40_MiB_in_chunks_and_gzip_costs_no_memory(
    writing: Forge, large: Path
) -> None:
    """Git itself compresses only what it fetches with; but its backend takes a push so, too."""
    push(writing, "second", b"so that all is loaded that a push needs\n")
    body = writing.clones / "body.gz"
    body.write_bytes(gzip.compress(request_for_push(large, branch="zipped"), 0))
    options = ["-H", "Content-Type: application/x-git-receive-pack-request"]
    options += ["-H", "Content-Encoding: gzip", "--data-binary", f"@{body}"]
    options += ["-H", "Transfer-Encoding: chunked"]
    with growth_of(writing.running) as growth:
        reply = curl(f"{writing.url}/git-receive-pack", *options)
    assert reply.status == 200
    assert b"unpack ok" in reply.body
    assert writing.served("cat-file", "-s", "zipped:blob") == str(LARGE)
    assert growth.worst < MOST_GROWTH, growth


def request_for_push(work: Path, *, branch: str) -> bytes:
    """Return what git sends to push main as a new branch: its name, and a pack of all of it."""
    new = check(git("rev-parse", "main", where=work)).strip()
    command = f"{'0' * 40} {new} refs/heads/{branch}\0 report-status".encode()
    check(git("bundle", "create", "new.bundle", "main", where=work))
    pack = (work / "new.bundle").read_bytes().partition(b"\n\n")[2]  # below the bundle's header
    return b"%04x" % (len(command) + 4) + command + b"0000" + pack


# Ownership

SAFE = dict(re.findall(r'`(GIT_CONFIG_\w+) = "(.+?)"`', SECTION))


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a repository to somebody else")
@pytest.mark.parametrize("env", [SAFE, {"HOME": "{root}"}], ids=["environment", "home"])
def test_C18_a_repository_of_somebody_else_is_refused_until_git_is_told_not_to_ask(
    tmp_path: Path, env: dict[str, str]
) -> None:
    assert SAFE.keys() == {"GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"}
    assert '`HOME = "/srv/git"`' in SECTION
    with forge(tmp_path, configuration(warm=False), owner="root") as served:
        assert git("clone", served.url, "unsafe", where=served.clones).returncode != 0
        served.running.await_log("dubious ownership")
        (served.root / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
        old = served.running.family()
        assert served.running.reload(
            configuration(warm=False, **env).replace("{root}", str(served.root))
        )
        await_end(old)
        served.clone("safe")
