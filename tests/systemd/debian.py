"""Another Debian's systemd, unpacked into a directory that a machine can boot from.

The packages come from the mirror that this machine's own apt knows, and apt checks their
signatures; nothing is installed, and no script of a package is run.  What was unpacked once stays
in the cache and is taken from there for a week: ten seconds, and forty megabytes, the first time.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

# What systemd, a shell and the tests' Python need; packages that they depend on come along.
_PACKAGES = (
    *("base-files", "coreutils", "dash", "grep", "libc-bin", "libffi8"),
    *("libnss-systemd", "logrotate", "systemd"),
)
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_USUAL_MIRROR = "http://deb.debian.org/debian"
_FRESH = 7 * 24 * 3600.0  # seconds
_PATIENCE = 300.0  # seconds that apt may take

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nadm:x:4:\nutmp:x:43:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files systemd\ngroup: files systemd\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


class Unavailable(Exception):
    """The packages cannot be had; the text says why."""


def unpacked(suite: str) -> Path:
    """Return a directory with that release of Debian, fetched if need be.  Raises Unavailable."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    root = cache / f"{suite}-{recipe[:8]}"
    with open(f"{root}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh(root):
            _renew(root, suite)
    return root


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "forkhttpd-tests"


def _is_fresh(root: Path) -> bool:
    try:
        return time.time() - root.stat().st_mtime < _FRESH
    except FileNotFoundError:
        return False


def _renew(root: Path, suite: str) -> None:
    """Unpack beside the old tree and then take its place; without a mirror the old one stays."""
    with tempfile.TemporaryDirectory(prefix=f"{suite}-", dir=root.parent) as name:
        work = Path(name)
        try:
            packages = _download(suite, work)
            new = work / "root"
            _unpack(packages, new)
        except (OSError, subprocess.SubprocessError) as error:
            if root.exists():
                return
            said = (getattr(error, "stderr", None) or str(error)).strip()
            raise Unavailable(f"no Debian {suite} from {_mirror()}: {said}") from error
        if root.exists():
            shutil.rmtree(root)
        new.rename(root)
        os.utime(root)


def _download(suite: str, work: Path) -> list[Path]:
    for part in ("lists/partial", "archives/partial", "nothing"):
        (work / part).mkdir(parents=True)
    (work / "status").touch()  # as on a machine where nothing is installed
    (work / "sources").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
    _apt(work, "update")
    _apt(work, "install", "--yes", "--download-only", *_PACKAGES)
    return sorted((work / "archives").glob("*.deb"))


def _apt(work: Path, *arguments: str) -> None:
    options = {
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::Archives": work / "archives",
        "Dir::Etc::SourceList": work / "sources",
        "Dir::Etc::SourceParts": work / "nothing",
        "Dir::Etc::PreferencesParts": work / "nothing",
        "Acquire::Languages": "none",
        "Acquire::Retries": 2,
        "APT::Get::AllowUnauthenticated": "false",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the work directory is below root's home
        "APT::Update::Error-Mode": "any",  # a mirror out of reach is an error, not a warning
        "Debug::NoLocking": "true",
    }
    settings = [f"-o{name}={value}" for name, value in options.items()]
    _run(["apt-get", "-qq", *settings, *arguments])


def _mirror() -> str:
    """Return where this machine's Debian packages come from."""
    form = ["--format", "$(REPO_URI)", "Created-By: Packages"]
    known = _run(["apt-get", "indextargets", *form]).split()
    return next((uri for uri in known if uri.rstrip("/").endswith("/debian")), _USUAL_MIRROR)


def _unpack(packages: Iterable[Path], root: Path) -> None:
    # base-files comes first: /bin, /lib and /sbin are links in it, which the others' files follow.
    for package in sorted(packages, key=lambda one: not one.name.startswith("base-files_")):
        root.mkdir(exist_ok=True)
        tar = ["tar", "-x", "--keep-directory-symlink", "-C", str(root)]
        left_out = [f"--exclude=./{path}" for path in _LEFT_OUT]
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
        ) as content:
            subprocess.run([*tar, *left_out], stdin=content.stdout, check=True)
        if content.returncode:
            raise subprocess.CalledProcessError(content.returncode, f"dpkg-deb {package.name}")
    for path, text in _FILES.items():
        (root / path).write_text(text)
    if not (root / "usr/bin/sh").exists():  # its package's script makes the link
        (root / "usr/bin/sh").symlink_to("dash")


def _run(command: list[str]) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_PATIENCE
    ).stdout
