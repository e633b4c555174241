"""The tables of the configuration file, one frozen class each, with defaults and meanings.

The `description` of a field is its documentation: `etc/forkhttpd.conf` and the manual say the
same, and tests hold them to it.  A value that got this far is complete and plausible; what only
the machine can tell (does the directory exist, is there such a user) is checked by
`forkhttpd.config.check`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from forkhttpd.config.names import (
    Account,
    FileName,
    HostName,
    PoolName,
    Product,
    SearchPath,
    Suffix,
    Umask,
    VariableName,
    VariableValue,
)
from forkhttpd.config.values import (
    Count,
    Duration,
    Flag,
    ListenAddress,
    LogFile,
    Number,
    OptionalPath,
    PositiveDuration,
    Program,
    Size,
    Workers,
)

KIND = 'a mount has either docroot = "DIRECTORY" or cgi = "DIRECTORY or FILE"; write one of them'

_CONFIG = ConfigDict(extra="forbid")


def _field(default: Any, description: str) -> Any:
    return Field(default=default, description=description)


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Listen:
    """[[listen]]: one listening socket."""

    address: ListenAddress = Field(
        description='"127.0.0.1:8000", "[::]:80", "unix:/run/x.sock" or "systemd:NAME"'
    )
    backlog: Count = _field(1024, "connections that the kernel keeps waiting for accept")


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Log:
    """[log]: what is written where."""

    access: LogFile = _field("stdout", 'access log: a file, "stdout", "stderr" or "off"')
    format: Literal["common", "combined", "json"] = _field(
        "combined", 'format of the access log: "common", "combined" or "json"'
    )
    error: LogFile = _field("stderr", 'error log: a file, "stdout", "stderr" or "off"')
    level: Literal["debug", "info", "warning", "error"] = _field(
        "info", 'least important message that the error log shows: "debug" to "error"'
    )


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Timeouts:
    """[timeouts]: how long we wait, each a deadline."""

    header: PositiveDuration = _field(
        20.0, "longest wait for a request's whole header, from its first byte"
    )
    body: PositiveDuration = _field(60.0, "longest wait for the next piece of a request's body")
    write: PositiveDuration = _field(
        60.0, "longest wait for the client to take the next piece of an answer"
    )
    idle: PositiveDuration = _field(30.0, "longest wait for the next request on an open connection")
    graceful: Duration = _field(
        30.0, "longest time for running requests to end after a stop or reload"
    )
    start: PositiveDuration = _field(
        10.0, "longest time for a new worker or spawner to become ready"
    )
    heartbeat: PositiveDuration = _field(
        10.0, "longest time without a sign of life of a worker, then it is replaced"
    )


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Limits:
    """[limits]: how much of anything a client may ask for."""

    request_line: Size = _field(8192, "most bytes of a request line, else 414")
    header: Size = _field(32768, "most bytes of a request's header, else 431")
    header_fields: Count = _field(100, "most fields of a request's header, else 431")
    body: Size = _field(1 << 30, "most bytes of a request's body, else 413")
    connections: Count = _field(
        8192, "most open connections of one worker; more wait in the backlog"
    )


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Pool:
    """[pool.NAME]: the programs that one spawner starts, and their limits."""

    processes: Count = _field(32, "most programs that run at once, over all workers")
    queue: Number = _field(128, "most requests that wait for a place, else 503")
    queue_wait: Duration = _field(10.0, "longest wait for a place, else 503")
    python: Program = _field(
        "python3", "interpreter that the spawner runs under, CPython 3.9 or newer"
    )
    search_path: SearchPath = _field(
        "/usr/local/bin:/usr/bin:/bin", "PATH of the programs, and the way to python"
    )
    user: Account = _field("", 'user of the programs, when started as root; "" means the server\'s')
    group: Account = _field("", 'group of the programs; "" means the user\'s own')
    no_new_privileges: Flag = _field(
        True, "setuid programs gain nothing; false for scripts that need sudo"
    )
    umask: Umask = _field("022", "file mode bits that files of the programs do not get, octal")
    kill_grace: Duration = _field(3.0, "time between TERM and KILL when a program has to end")


def _with_default(pools: dict[str, Pool]) -> dict[str, Pool]:
    return pools if "default" in pools else {"default": Pool(), **pools}


# By name.  The pool "default" is always there, also when the file names only others.
Pools = Annotated[dict[PoolName, Pool], AfterValidator(_with_default)]


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Mount:
    """[[site.mount]]: what the paths below `path` mean: files of `docroot`, or programs `cgi`."""

    path: str = _field("/", "path that the mount stands for; the longest match wins")
    # Files.
    docroot: OptionalPath = _field(None, "directory of files to serve")
    index: tuple[FileName, ...] = _field(
        ("index.html",), "files that stand for their directory, the first found"
    )
    listing: Flag = _field(False, "show a directory without index as a list")
    # Programs.
    cgi: OptionalPath = _field(None, "directory of CGI scripts, or one program for all paths below")
    suffix: tuple[Suffix, ...] = _field(
        (), 'only files with these suffixes are scripts, as in [".php"]'
    )
    interpreter: OptionalPath = _field(None, "program that runs the scripts, which then need no +x")
    pool: str = _field("default", "pool that the programs run in")
    env: dict[VariableName, VariableValue] = _field({}, "more environment for the programs")
    pass_authorization: Flag = _field(False, "programs see the Authorization field")
    background: Literal["kill", "leave"] = _field(
        "kill", 'what a program leaves running at its end: "kill" or "leave"'
    )
    first_byte: PositiveDuration = _field(
        60.0, "longest wait for a program's first byte of output, else 504"
    )
    silence: PositiveDuration = _field(
        60.0, "longest time between two pieces of a program's output"
    )
    total: PositiveDuration = _field(900.0, "longest time for a program from start to end")
    spool: Size = _field(
        64 << 20, "most bytes of output that are kept for a slow client; 0 holds the program back"
    )

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        segments = path.split("/")
        if segments[0] or len(segments) == 1 or {".", ".."} & set(segments) or "//" in path:
            raise ValueError('not a path; it begins with "/" and has no "//", "." or ".." in it')
        return path

    @model_validator(mode="after")
    def _check_kind(self) -> "Mount":
        if (self.docroot is None) == (self.cgi is None):
            raise ValueError(KIND)
        return self


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Site:
    """[[site]]: the mounts of some host names; the first site takes all other names, too."""

    names: tuple[HostName, ...] = _field((), 'host names, as in ["example.org", "*.example.org"]')
    mount: tuple[Mount, ...] = Field(description="what the paths of the site mean", min_length=1)


@dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)
class Config:
    """The whole file."""

    workers: Workers = _field("auto", '"auto" is one per CPU that we may use')
    user: Account = _field("", "user that serves, when started as root")
    group: Account = _field("", 'group that serves; "" means the user\'s own')
    pid_file: OptionalPath = _field(None, 'file that names the master; "" is none')
    server: Product = _field("forkhttpd", 'value of the Server field in answers; "" sends none')
    listen: tuple[Listen, ...] = Field(description="the listeners", min_length=1)
    log: Log = Field(default=Log(), description="the logs")
    timeouts: Timeouts = Field(default=Timeouts(), description="the deadlines")
    limits: Limits = Field(default=Limits(), description="the limits")
    pool: Pools = Field(default={"default": Pool()}, description="the pools")
    site: tuple[Site, ...] = Field(description="the sites", min_length=1)

    def mounts(self) -> Iterator[tuple[tuple[str | int, ...], Mount]]:
        """Yield every mount with its position in the file: ("site", 0, "mount", 1)."""
        for index, site in enumerate(self.site):
            for number, mount in enumerate(site.mount):
                yield ("site", index, "mount", number), mount


__all__ = ["Config", "Limits", "Listen", "Log", "Mount", "Pool", "Site", "Timeouts"]
