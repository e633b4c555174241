"""S2: what a symbolic link may do, by policy; both resolvers alike."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from forkhttpd.handlers.docroot import Docroot
from forkhttpd.handlers.resolver import Opener, Symlinks
from forkhttpd.http1.errors import HTTPError
from tests.handlers.driver import Serve, get, open_fds, status_of

Openers = Mapping[Symlinks, Opener]

POLICIES: tuple[Symlinks, ...] = ("never", "owner", "inside", "all")
SWAPS = 100_000
STRANGER = 65533


@pytest.fixture
def links(root: Path) -> Path:
    """A docroot with links of every kind; each of them leads to a file in the end."""
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file.txt").write_text("inside")
    for name, target in {
        "relative": "a/b/file.txt",
        "a/up": "../a/b/file.txt",
        "twice": "relative",
        "folder": "a/b",
        "absolute": f"{root}/a/b/file.txt",
        "absolute-folder": f"{root}/a",
        "home": f"{root}/",
        "out-and-in": f"../{root.name}/a/b/file.txt",
        "by-another-name": f"{root.parent}/alias/a/b/file.txt",
        "out": "../outside/secret.txt",
        "out-folder": "../outside",
        "absolute-out": f"{root.parent}/outside/secret.txt",
        "top": "..",
    }.items():
        (root / name).symlink_to(target)
    (root.parent / "alias").symlink_to(root.name)
    return root


def read(docroot: Docroot, path: str) -> str:
    """Return what a path leads to, or the status that it is refused with."""
    try:
        fd = docroot.open(path)
    except HTTPError as error:
        return str(error.status)
    try:
        return os.read(fd, 100).decode()
    except IsADirectoryError:
        return "a directory"
    finally:
        os.close(fd)


STAYS = (
    "relative",
    "a/up",
    "twice",
    "folder/file.txt",
    "absolute",
    "absolute-folder/b/file.txt",
    "absolute-folder/up",
    "home/folder/file.txt",
    "out-and-in",
    "by-another-name",
)
LEAVES = ("out", "out-folder/secret.txt", "absolute-out")


@pytest.mark.parametrize("policy", POLICIES)
def test_S2_who_may_follow_what(links: Path, openers: Openers, policy: Symlinks) -> None:
    docroot = Docroot(links, opener=openers[policy])
    inside = "404" if policy == "never" else "inside"
    outside = "404" if policy in ("never", "inside") else "SECRET"
    assert {path: read(docroot, path) for path in STAYS} == dict.fromkeys(STAYS, inside)
    assert {path: read(docroot, path) for path in LEAVES} == dict.fromkeys(LEAVES, outside)
    assert read(docroot, "a/b/file.txt") == "inside"


@pytest.mark.parametrize(
    "path",
    ["top/www/a/b/file.txt", "top/www/relative", "out-folder/../www/a/b/file.txt", "top/www"],
)
def test_S2_a_link_comes_back_by_itself_or_not_at_all(
    links: Path, openers: Openers, path: str
) -> None:
    assert links.name == "www"
    root = os.open(links, os.O_PATH)
    try:
        with pytest.raises(OSError, match="Invalid cross-device link"):
            os.close(openers["inside"](root, path.encode(), os.O_RDONLY))
    finally:
        os.close(root)


def test_S2_never_is_about_the_docroot_and_not_the_way_to_it(links: Path, openers: Openers) -> None:
    docroot = Docroot(links.parent / "alias", opener=openers["never"])
    assert read(docroot, "a/b/file.txt") == "inside"
    assert read(docroot, "relative") == "404"


def test_S2_a_link_that_is_absolute_is_known_by_every_name_of_the_docroot(
    links: Path, openers: Openers
) -> None:
    for directory in (links, links.parent / "alias"):
        docroot = Docroot(directory, opener=openers["inside"])
        assert read(docroot, "absolute") == read(docroot, "by-another-name") == "inside"


def test_S2_the_root_of_the_machine_has_no_outside(tmp_path: Path, openers: Openers) -> None:
    (tmp_path / "file").write_text("inside")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read(Docroot(Path("/"), opener=openers["inside"]), f"{tmp_path}/link") == "inside"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_S2_owner_means_the_owner_of_what_the_link_leads_to(links: Path, openers: Openers) -> None:
    docroot = Docroot(links, opener=openers["owner"])
    (links / "chain").symlink_to("out")
    secret = links.parent / "outside/secret.txt"
    os.chown(secret, STRANGER, -1)
    assert [read(docroot, path) for path in ("out", "absolute-out", "chain")] == ["404"] * 3
    os.lchown(links / "out", STRANGER, -1)
    assert read(docroot, "out") == "SECRET"
    assert read(docroot, "chain") == "404"  # this one is not the stranger's
    os.lchown(links / "chain", STRANGER, -1)
    assert read(docroot, "chain") == "SECRET"
    # A link to a folder is judged by the folder, whosever the file in it is.
    assert read(docroot, "out-folder/secret.txt") == "SECRET"
    os.lchown(links / "out-folder", STRANGER, -1)
    assert read(docroot, "out-folder/secret.txt") == "404"


@pytest.mark.parametrize("policy", ["never", "owner", "inside", "all"])
def test_S2_links_in_a_circle_and_links_to_nothing_are_404(
    links: Path, openers: Openers, policy: Symlinks
) -> None:
    (links / "loop").symlink_to("loop")
    (links / "nothing").symlink_to("nowhere")
    (links / "nothing-absolute").symlink_to("/nowhere/at/all")
    docroot = Docroot(links, opener=openers[policy])
    for path in ("loop", "nothing", "nothing-absolute", "relative/", "relative/x", "folder/x"):
        assert read(docroot, path) == "404"


def test_S2_links_of_proc_are_no_way_out(links: Path, openers: Openers) -> None:
    (links / "magic").symlink_to("/proc/self/root/etc/passwd")
    assert read(Docroot(links, opener=openers["inside"]), "magic") == "404"


@pytest.mark.parametrize("policy", POLICIES)
def test_S2_nothing_stays_open(links: Path, openers: Openers, policy: Symlinks) -> None:
    docroot = Docroot(links, opener=openers[policy])
    (links / "loop").symlink_to("loop")
    before = open_fds()
    for path in (*STAYS, *LEAVES, "loop", "missing", "top", "a/b/", "relative/x"):
        read(docroot, path)
    assert open_fds() == before


def test_S2_the_policy_of_a_mount(links: Path, serve: Serve) -> None:
    assert status_of(serve(), "/absolute") == 200
    assert status_of(serve(), "/out") == 404
    assert status_of(serve(symlinks="never"), "/absolute") == 404
    assert get(serve(symlinks="all"), "/out") == b"SECRET"


def swap(root: Path) -> None:
    """Make `turn` a file and a link to the outside, in turns, and `way` a directory and a link."""
    here = os.open(root, os.O_PATH | os.O_DIRECTORY)
    for _ in range(SWAPS // 4):
        os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.rename("new", "turn", src_dir_fd=here, dst_dir_fd=here)
        os.rename("held", "way", src_dir_fd=here, dst_dir_fd=here)
        os.symlink("../outside/secret.txt", "new", dir_fd=here)
        os.rename("new", "turn", src_dir_fd=here, dst_dir_fd=here)
        os.rename("way", "held", src_dir_fd=here, dst_dir_fd=here)
        os.symlink("../outside", "way", dir_fd=here)
        os.unlink("way", dir_fd=here)


def test_S2_100_000_swaps_of_links_leak_nothing(root: Path, openers: Openers) -> None:
    """All policies that keep links in, while another process does nothing but swap."""
    (root / "held").mkdir()
    (root / "held/secret.txt").touch()  # the ones inside are empty
    policies: list[Symlinks] = ["never", "inside"]
    if os.geteuid() == 0:
        os.chown(root.parent / "outside", STRANGER, -1)
        os.chown(root.parent / "outside/secret.txt", STRANGER, -1)
        policies.append("owner")
    docroots = [Docroot(root, opener=openers[policy]) for policy in policies]
    pid = os.fork()
    if pid == 0:
        try:
            swap(root)
            os._exit(0)
        finally:
            os._exit(1)
    found: dict[str, int] = {}
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        for docroot in docroots:
            for path in ("/turn", "/way/secret.txt"):
                content = read(docroot, path)
                found[content] = found.get(content, 0) + 1
    assert found.keys() <= {"", "404"}
    assert min(found.values()) >= 1000, found
