"""[pool.NAME]: the programs that one spawner starts, and their limits."""

from dataclasses import dataclass
from typing import Annotated

from forkhttpd.config.names import Account, ModuleName, PoolName, SearchPath, Umask
from forkhttpd.config.schema import CLOSED, Checked, option
from forkhttpd.config.values import Count, Duration, Flag, Niceness, Number, Program, Size


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """[pool.NAME]: the programs that one spawner starts, and their limits."""

    __pydantic_config__ = CLOSED

    processes: Count = option(32, "most programs that run at once, over all workers")
    queue: Number = option(128, "most requests that wait for a place, else 503")
    queue_wait: Duration = option(10.0, "longest wait for a place, else 503")
    python: Program = option(
        "python3", "interpreter that the spawner runs under, CPython 3.9 or newer"
    )
    warm: Flag = option(
        True, "Python scripts run in forks of the spawner, where that is as good as exec"
    )
    preload: tuple[ModuleName, ...] = option(
        ("auto",), 'modules that a warm pool imports ahead; "auto" is what the scripts import'
    )
    search_path: SearchPath = option(
        "/usr/local/bin:/usr/bin:/bin", "PATH of the programs, and the way to python"
    )
    user: Account = option("", 'user of the programs, when started as root; "" means the server\'s')
    group: Account = option("", 'group of the programs; "" means the user\'s own')
    no_new_privileges: Flag = option(
        True, "setuid programs gain nothing; false for scripts that need sudo"
    )
    umask: Umask = option("022", "file mode bits that files of the programs do not get, octal")
    kill_grace: Duration = option(3.0, "time between TERM and KILL when a program has to end")
    nice: Niceness = option(0, "how much the programs yield to others, 0 to 19")
    address_space: Size = option(0, "most memory that a program may map; 0 is as we were started")
    cpu: Duration = option(0.0, 'most CPU time of a program, as in "30s"; "0s" is any')
    open_files: Number = option(0, "most files that a program has open; 0 is as we were started")
    user_processes: Number = option(
        0, "most processes of the pool's user, however started; 0 is as we were started"
    )
    file_size: Size = option(0, "most bytes of a file that a program writes; 0 is any")
    core: Size = option(0, "most bytes of a core dump; 0 is none")
    cgroup: Flag = option(
        False, "each program has a cgroup of its own, which is ended with it; see README.md"
    )
    memory: Size = option(
        0, "most memory of a program with all that it starts, needs cgroups; 0 is any"
    )
    tasks: Number = option(
        0, "most processes and threads of a program, needs cgroups; 0 is any number"
    )


def _with_default(pools: dict[str, Pool]) -> dict[str, Pool]:
    return pools if "default" in pools else {"default": Pool(), **pools}


# By name.  The pool "default" is always there, also when the file names only others.
Pools = Annotated[dict[PoolName, Pool], Checked(_with_default)]
