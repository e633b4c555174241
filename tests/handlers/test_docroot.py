"""Opening below a directory: both resolvers, and that they agree."""

import errno
import os
import socket
import stat
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forkhttpd.handlers.docroot import Docroot, refusal
from forkhttpd.handlers.resolver import BENEATH, BY_KERNEL, BY_WALKING, Opener, openat2
from forkhttpd.http1.errors import HTTPError
from tests.handlers.driver import open_fds


def read(docroot: Docroot, path: str) -> bytes:
    fd = docroot.open(path)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def refused(docroot: Docroot, path: str) -> int:
    with pytest.raises(HTTPError) as caught:
        os.close(docroot.open(path))
    return caught.value.status


@pytest.fixture
def docroot(root: Path, opener: Opener) -> Docroot:
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file.txt").write_text("inside")
    (root / ".well-known").mkdir()
    (root / ".well-known/token").write_text("token")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("hidden")
    (root / "a/.well-known").mkdir()
    (root / "a/.well-known/x").write_text("hidden")
    return Docroot(root, opener=opener)


@pytest.mark.parametrize("path", ["/a/b/file.txt", "a/b/file.txt", "//a//b/file.txt"])
def test_a_file_is_opened_by_its_path(docroot: Docroot, path: str) -> None:
    assert read(docroot, path) == b"inside"


@pytest.mark.parametrize("path", ["", "/", "/a", "/a/", "/a/b/"])
def test_a_directory_is_opened_too(docroot: Docroot, path: str) -> None:
    fd = docroot.open(path)
    try:
        assert stat.S_ISDIR(os.fstat(fd).st_mode)
    finally:
        os.close(fd)
    assert stat.S_ISDIR(docroot.look(path).st_mode)


@pytest.mark.parametrize(
    "path",
    [
        "/missing",
        "/a/b/file.txt/",
        "/a/b/file.txt/more",
        "/" + "x" * 300,
        "/" + "x/" * 3000,
        "/a\0b",
        "/a/b/file.txt\0.jpg",
        "/\ud800",
        "/..",
        "/../outside/secret.txt",
        "/a/../../outside/secret.txt",
        "/a/./b/file.txt",
    ],
)
def test_S1_what_is_not_below_is_404(docroot: Docroot, path: str) -> None:
    assert refused(docroot, path) == 404


@pytest.mark.parametrize("path", ["/.git/config", "/.git", "/a/.well-known/x", "/.well-known/.x"])
def test_S8_names_with_a_dot_are_404(docroot: Docroot, path: str) -> None:
    assert refused(docroot, path) == 404
    with pytest.raises(HTTPError):
        docroot.location(path)


def test_S8_well_known_is_served(docroot: Docroot) -> None:
    assert read(docroot, "/.well-known/token") == b"token"


def test_a_link_inside_is_followed(docroot: Docroot, root: Path) -> None:
    (root / "link").symlink_to("a/b/file.txt")
    (root / "a/up").symlink_to("../a/b/")
    (root / "a/here").symlink_to(".")
    assert read(docroot, "/link") == b"inside"
    assert read(docroot, "/a/up/file.txt") == b"inside"
    assert read(docroot, "/a/here/up/file.txt") == b"inside"


@pytest.mark.parametrize(
    "target",
    [
        "../outside/secret.txt",
        "../outside",
        "..",
        "../www/../outside/secret.txt",
        "../outside/../outside/secret.txt",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "/nowhere/file.txt",
        "/",
        "a/../../outside/secret.txt",
    ],
)
def test_S1_a_link_that_leads_out_is_404(docroot: Docroot, root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    assert refused(docroot, "/link") == 404
    assert refused(docroot, "/link/secret.txt") == 404
    with pytest.raises(HTTPError):
        docroot.look("/link")


@pytest.mark.parametrize(("length", "status"), [(40, None), (41, 404)])
def test_a_chain_of_links_ends_where_the_kernel_ends_it(
    docroot: Docroot, root: Path, length: int, status: int | None
) -> None:
    (root / "link0").symlink_to("a/b/file.txt")
    for number in range(1, length):
        (root / f"link{number}").symlink_to(f"link{number - 1}")
    if status is None:
        assert read(docroot, f"/link{length - 1}") == b"inside"
    else:
        assert refused(docroot, f"/link{length - 1}") == status


def test_a_look_sees_what_an_open_would(docroot: Docroot, root: Path) -> None:
    (root / "file.txt").write_text("inside")
    (root / "link").symlink_to("a/b/file.txt")
    for path in ("/file.txt", "/link", "/a/b/file.txt", "/a", ""):
        fd = docroot.open(path)
        assert docroot.look(path) == os.fstat(fd), path
        os.close(fd)
    for path in ("/none", "/file.txt/", "/link/none", "/.git", "/..", "/a\0", "/" + "x" * 300):
        with pytest.raises(HTTPError) as caught:
            docroot.look(path)
        assert caught.value.status == 404, path


def test_a_link_to_itself_is_404(docroot: Docroot, root: Path) -> None:
    (root / "loop").symlink_to("loop")
    assert refused(docroot, "/loop") == 404


def test_S1_a_fifo_does_not_hang_and_a_socket_is_403(docroot: Docroot, root: Path) -> None:
    os.mkfifo(root / "fifo")
    os.close(docroot.open("/fifo"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert refused(docroot, "/socket") == 403
        assert stat.S_ISSOCK(docroot.look("/socket").st_mode)


def test_names_that_are_not_utf_8(docroot: Docroot, root: Path) -> None:
    with open(os.fsencode(root) + b"/\xff\xe9", "wb") as file:
        file.write(b"latin")
    assert read(docroot, "/\udcff\udce9") == b"latin"


def test_unreadable_is_403(powerless: Path, opener: Opener) -> None:
    (powerless / "file").write_text("x")
    (powerless / "file").chmod(0)
    (powerless / "closed").mkdir()
    (powerless / "closed/file").write_text("x")
    (powerless / "closed").chmod(0)
    docroot = Docroot(powerless, opener=opener)
    assert refused(docroot, "/file") == 403
    assert refused(docroot, "/closed/file") == 403
    assert stat.S_ISREG(docroot.look("/file").st_mode)


def test_S9_a_docroot_that_is_swapped_is_the_new_one(tmp_path: Path, opener: Opener) -> None:
    for release in ("release-1", "release-2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "version").write_text(release)
    (tmp_path / "current").symlink_to("release-1")
    docroot = Docroot(tmp_path / "current", opener=opener)
    assert read(docroot, "/version") == b"release-1"
    (tmp_path / "new").symlink_to("release-2")
    (tmp_path / "new").rename(tmp_path / "current")
    assert read(docroot, "/version") == b"release-2"
    (tmp_path / "current").unlink()
    assert refused(docroot, "/version") == 404


def test_nothing_stays_open_and_nothing_is_inherited(docroot: Docroot, root: Path) -> None:
    (root / "a/up").symlink_to("../a/b")
    (root / "out").symlink_to("a/../../outside")
    before = open_fds()
    for path in ("/a/up/file.txt", "/a/up/missing", "/out", "/a/b/file.txt/x", "/a/", "/.git"):
        try:
            fd = docroot.open(path)
        except HTTPError:
            continue
        assert not os.get_inheritable(fd)
        os.close(fd)
    assert open_fds() == before


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOENT, 404),
        (errno.ENOTDIR, 404),
        (errno.ENAMETOOLONG, 404),
        (errno.ELOOP, 404),
        (errno.EXDEV, 404),
        (errno.EACCES, 403),
        (errno.EPERM, 403),
        (errno.ENXIO, 403),
        (errno.EMFILE, 503),
        (errno.ENFILE, 503),
        (errno.ENOMEM, 503),
        (errno.EAGAIN, 503),
        (errno.EIO, 500),
    ],
)
def test_an_errno_has_its_status(number: int, status: int) -> None:
    error = refusal(OSError(number, os.strerror(number)), "/x")
    assert error.status == status
    assert error.reason == f"/x: {os.strerror(number)}"
    assert [name for name, _ in error.fields] == (["Retry-After"] if status == 503 else [])


# What a path of the differential test is made of; links of every kind are among them.
SEGMENTS = [
    "d",
    "e",
    "f",
    "up",
    "out",
    "abs",
    "home",
    "back",
    "self",
    "loop",
    "to-f",
    "to-d",
    "fifo",
    "x",
    "..",
    ".",
]


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories that hold the same names again, so that random paths go deep."""
    root = tmp_path_factory.mktemp("maze")
    for directory in ("", "d", "e", "d/e", "d/d", "e/d", "d/e/e"):
        here = root / directory
        here.mkdir(exist_ok=True)
        (here / "f").write_text(directory)
        (here / "up").symlink_to("..")
        (here / "out").symlink_to("../../../../../..")
        (here / "abs").symlink_to("/tmp")
        (here / "home").symlink_to(root / "d")
        (here / "back").symlink_to(f"{'../' * 4}{root.name}/e")
        (here / "self").symlink_to("./")
        (here / "loop").symlink_to("loop/x")
        (here / "to-f").symlink_to("d/../f")
        (here / "to-d").symlink_to("self/d/")
        os.mkfifo(here / "fifo")
    return root


def outcome(opener: Opener, root: int, path: bytes, flags: int) -> tuple[str, int, int]:
    try:
        fd = opener(root, path, flags)
    except OSError as error:
        return errno.errorcode[error.errno or 0], 0, 0
    try:
        status = os.fstat(fd)
        return "opened", status.st_dev, status.st_ino
    finally:
        os.close(fd)


PATHS = st.tuples(
    st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=9).map("/".join),
    st.sampled_from(["", "/", "//"]),
).map("".join)


@settings(max_examples=400, deadline=None)
@example("f/..")
@example("to-f/")
@example("d/up/../d")
@given(path=PATHS)
@pytest.mark.parametrize("flags", [os.O_RDONLY | os.O_NONBLOCK, os.O_PATH])
def test_S1_walking_does_what_the_kernel_does(maze: Path, flags: int, path: str) -> None:
    root = os.open(maze, os.O_PATH | os.O_DIRECTORY)
    try:
        flags |= os.O_CLOEXEC
        for policy in ("never", "inside"):
            walked = outcome(BY_WALKING[policy], root, path.encode(), flags)
            assert walked == outcome(BY_KERNEL[policy], root, path.encode(), flags)
        # Alone, the kernel knows of no link that leaves and comes back.
        alone = outcome(partial(openat2, resolve=BENEATH), root, path.encode(), flags)
        assert alone in (walked, ("EXDEV", 0, 0))
    finally:
        os.close(root)


@settings(max_examples=300, deadline=None)
@given(path=st.one_of(PATHS, st.text(max_size=30)))
def test_S1_no_path_opens_what_is_not_below(maze: Path, path: str) -> None:
    for opener in (BY_KERNEL["inside"], BY_WALKING["inside"]):
        try:
            fd = Docroot(maze, opener=opener).open(path)
        except HTTPError as error:
            assert error.status in (403, 404)  # noqa: PT017 - opening is fine, too
            continue
        try:
            opened = Path(os.readlink(f"/proc/self/fd/{fd}"))
            assert opened.is_relative_to(maze.resolve())
        finally:
            os.close(fd)
