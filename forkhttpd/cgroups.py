"""A part of the cgroup tree for a pool's programs, where we have been given one to divide.

Version 2 only (Documentation/admin-guide/cgroup-v2.rst of Linux).  systemd gives a service its own
part with Delegate=yes; a container often has one, too.  What is made of it:

    BASE                      where the master was started
    ├─ forkhttpd              the master and the workers, who have to be out of BASE: a cgroup that
    │                         divides something among others has no process itself
    └─ pool-NAME.PID          one for each spawner, which is its owner
       ├─ spawner             the spawner
       └─ 1, 2, 3 …           one for each program (see spawner/cgroup.py)

All of it is done in the spawner's process, before that becomes less: the master stays as it is, and
where a pool does not ask for it nothing is touched.  What a spawner leaves behind goes when the
next one comes.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from forkhttpd.config import Config, Pool
from forkhttpd.errors import describe

_HOME = "forkhttpd"
_ATTEMPTS = 5
# What the owner of a part may write to, so that it can be divided further.  The directory comes
# last: after that it is closed to us, if we are a root that is bound by permissions.
_OWNED = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "")
_REMEDY = "set Delegate=yes and ProtectControlGroups=no in the unit"


@dataclass(frozen=True, slots=True)
class Part:
    """directory: of the pool, "" when there is none, and `problem` says why.

    controllers: those that were wanted and work there.
    """

    directory: str = ""
    controllers: frozenset[str] = field(default_factory=frozenset)
    problem: str = ""


def warnings(config: Config) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield, with its place, each limit that this machine cannot set, whoever runs the server."""
    root = _mount_point(_read("/proc/self/mounts"))
    have = set(_read(str(root / "cgroup.controllers")).split()) if root else set()
    for name, pool in config.pool.items():
        for controller, key in (("memory", "memory"), ("pids", "tasks")):
            if controller in wanted(pool) - have:
                missing = f"this machine has no controller {controller} in cgroup v2"
                yield ("pool", name, key), f"{missing}, so it is no limit; boot with v2 alone"


def wanted(pool: Pool) -> frozenset[str]:
    """Return the controllers that the limits of a pool need."""
    needed = {"memory": pool.memory, "pids": pool.tasks}
    return frozenset(name for name, limit in needed.items() if limit)


def claim_for(pool: Pool, name: str, *, owner: tuple[int, int]) -> Part:
    """Claim what a pool asks for, if it asks for anything."""
    if pool.cgroup or wanted(pool):
        return claim(name, owner=owner, controllers=wanted(pool))
    return Part()


def claim(pool: str, *, owner: tuple[int, int], controllers: frozenset[str]) -> Part:
    """Make the part of the calling process's pool, enter it, and give it to this uid and gid.

    controllers: those that its programs are to be limited by.
    """
    base = _base(_read("/proc/self/mounts"), _read("/proc/self/cgroup"))
    if base is None:
        return Part(problem="there is no cgroup v2 on this machine")
    try:
        _sweep(base)
        return _claim(base, base / f"pool-{pool}.{os.getpid()}", owner, controllers)
    except OSError as error:
        return Part(problem=f"cannot divide {base}: {describe(error)}; {_REMEDY}")


def _base(mounts: str, membership: str) -> Path | None:
    point = _mount_point(mounts)
    for line in membership.splitlines():
        if point and line.startswith("0::"):
            own = point / line.removeprefix("0::").lstrip("/")
            return own.parent if own.name == _HOME else own
    return None


def _mount_point(mounts: str) -> Path | None:
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(point.encode().decode("unicode_escape"))
    return None


def _claim(base: Path, part: Path, owner: tuple[int, int], controllers: frozenset[str]) -> Part:
    found = controllers & set(_read(str(base / "cgroup.controllers")).split())
    part.mkdir()
    try:
        inside = part / "spawner"
        inside.mkdir()
        (inside / "cgroup.procs").write_text("0")
        if found:
            _share(base, found)
            _divide(part, found)
        for place in (inside, part):
            _give(place, owner)
    except OSError:
        with contextlib.suppress(OSError):
            (base / "cgroup.procs").write_text("0")
            _remove(part)
        raise
    return Part(str(part), found, _missing(base, controllers - found))


def _missing(base: Path, controllers: frozenset[str]) -> str:
    if not controllers:
        return ""
    names = " and ".join(sorted(controllers))
    return f"{base} has no controller {names}; boot with v2 alone, and {_REMEDY}"


def _share(base: Path, controllers: frozenset[str]) -> None:
    """Let the cgroups below ours have these controllers.

    EBUSY: a process is in it, perhaps one of ours that was forked there a moment ago.  The root of
    the whole tree may have some.
    """
    is_root = not (base / "cgroup.type").exists()
    for attempt in range(_ATTEMPTS):
        try:
            if not is_root:
                _move_family(base)
            _divide(base, controllers)
        except OSError as error:
            if error.errno != errno.EBUSY or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _move_family(base: Path) -> None:
    """Move the master and what descends from it.  Raises OSError EBUSY when others are there."""
    home = base / _HOME
    home.mkdir(exist_ok=True)
    family = set(_family(os.getppid()))
    inhabitants = set(map(int, (base / "cgroup.procs").read_text().split()))
    if inhabitants - family:
        raise OSError(errno.EBUSY, "processes of others are in it")
    for pid in inhabitants:
        with contextlib.suppress(ProcessLookupError):
            (home / "cgroup.procs").write_text(str(pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for child in _read(f"/proc/{pid}/task/{pid}/children").split():
            yield from _family(int(child))


def _divide(place: Path, controllers: frozenset[str]) -> None:
    words = " ".join(f"+{name}" for name in sorted(controllers))
    (place / "cgroup.subtree_control").write_text(words)


def _give(place: Path, owner: tuple[int, int]) -> None:
    for name in _OWNED:
        os.chown(place / name, *owner)


def _sweep(base: Path) -> None:
    """End and remove the parts of spawners that are gone."""
    for part in base.glob("pool-*"):
        if not Path("/proc", part.name.rpartition(".")[2]).exists():
            _remove(part)


def _remove(part: Path) -> None:
    """Remove what is empty; what is not is being ended, and is removed another time."""
    with contextlib.suppress(OSError):
        for place in [*part.glob("*/"), part]:
            (place / "cgroup.kill").write_text("1")
            place.rmdir()


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
