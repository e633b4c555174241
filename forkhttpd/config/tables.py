"""The tables of the configuration file, one frozen class each, with defaults and meanings.

The `description` of a field is its documentation: `etc/forkhttpd.conf` and the manual say the
same, and tests hold them to it.  A value that got this far is complete and plausible; what only
the machine can tell (does the directory exist, is there such a user) is checked by
`forkhttpd.config.check`.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict, field_validator, model_validator
from pydantic.dataclasses import dataclass

from forkhttpd.config.values import Duration, ListenAddress, OptionalPath, RequiredPath, Size

_CONFIG = ConfigDict(extra="forbid")
_table = dataclass(frozen=True, kw_only=True, slots=True, config=_CONFIG)

Flag = Annotated[bool, Strict()]
Number = Annotated[int, Strict(), Field(ge=0)]
Count = Annotated[int, Strict(), Field(ge=1)]


def _field(default: Any, description: str, **constraints: Any) -> Any:
    return Field(default=default, description=description, validate_default=False, **constraints)


@_table
class Listen:
    """[[listen]]: one listening socket."""

    address: ListenAddress = Field(
        description='where to listen: "127.0.0.1:8000", "[::]:80", "unix:/run/x.sock", '
        '"systemd:NAME"'
    )
    backlog: Count = _field(1024, "connections that the kernel keeps waiting for accept")


@_table
class Log:
    """[log]: what is written where."""

    access: str = _field("stdout", 'access log: a file, "stdout", "stderr" or "off"')
    format: Literal["common", "combined", "json"] = _field(
        "combined", 'format of the access log: "common", "combined" or "json"'
    )
    error: str = _field("stderr", 'error log: a file or "stderr"')
    level: Literal["debug", "info", "warning", "error"] = _field(
        "info", 'least important message that the error log shows: "debug" to "error"'
    )


@_table
class Timeouts:
    """[timeouts]: how long we wait, each a deadline."""

    header: Duration = _field(20.0, "for a request's whole header, from its first byte")
    body: Duration = _field(60.0, "for the next piece of a request's body")
    write: Duration = _field(60.0, "for the client to take the next piece of an answer")
    idle: Duration = _field(30.0, "for the next request on an open connection")
    graceful: Duration = _field(30.0, "for running requests to end after a stop or reload")
    start: Duration = _field(10.0, "for a new worker or spawner to become ready")
    heartbeat: Duration = _field(10.0, "for a sign of life of a worker before it is replaced")


@_table
class Limits:
    """[limits]: how much of anything a client may ask for."""

    request_line: Size = _field(8192, "bytes of a request line, else 414")
    header: Size = _field(32768, "bytes of a request's header, else 431")
    header_fields: Count = _field(100, "fields of a request's header, else 431")
    body: Size = _field(1 << 30, "bytes of a request's body, else 413")
    connections: Count = _field(8192, "open connections of one worker; more wait in the backlog")


@_table
class Pool:
    """[pool.NAME]: the programs that one spawner starts, and their limits."""

    processes: Count = _field(32, "programs that run at once, over all workers")
    queue: Number = _field(128, "requests that wait for a place, else 503")
    queue_wait: Duration = _field(10.0, "for a place, else 503")
    python: str = _field("python3", "interpreter that the spawner runs under, CPython 3.9 or newer")
    search_path: str = _field(
        "/usr/local/bin:/usr/bin:/bin", "PATH of the programs, and where python is looked up"
    )
    user: str = _field("", 'user of the programs, when started as root; "" means the server\'s')
    group: str = _field("", 'group of the programs; "" means the user\'s own')
    no_new_privileges: Flag = _field(
        True, "setuid programs gain nothing; false for scripts that need sendmail or sudo"
    )
    umask: str = _field("022", "file mode bits that files of the programs do not get, octal")
    kill_grace: Duration = _field(3.0, "between TERM and KILL when a program has to end")

    @field_validator("umask")
    @classmethod
    def _check_umask(cls, text: str) -> str:
        try:
            valid = 0 <= int(text, 8) <= 0o777
        except ValueError:
            valid = False
        if not valid:
            raise ValueError('not an octal mask; write one like "022"')
        return text


@_table
class Mount:
    """[[site.mount]]: what the paths below `path` mean: files of `docroot`, or programs `cgi`."""

    path: str = _field("/", "path that the mount stands for; the longest match wins")
    # Files.
    docroot: OptionalPath = _field(None, "directory of files to serve")
    index: tuple[str, ...] = _field(
        ("index.html",), "files that stand for their directory, the first found"
    )
    listing: Flag = _field(False, "show a directory without index as a list")
    # Programs.
    cgi: OptionalPath = _field(None, "directory of CGI scripts, or one program for all paths below")
    suffix: tuple[str, ...] = _field(
        (), 'only files with these suffixes are scripts, as in [".php"]'
    )
    interpreter: OptionalPath = _field(None, "program that runs the scripts, which then need no +x")
    pool: str = _field("default", "pool that the programs run in")
    env: dict[str, str] = _field({}, "more environment for the programs")
    pass_authorization: Flag = _field(False, "programs see the Authorization field")
    background: Literal["kill", "leave"] = _field(
        "kill", 'what a program leaves running when it ends: "kill" or "leave"'
    )
    first_byte: Duration = _field(60.0, "for a program's first byte of output, else 504")
    silence: Duration = _field(60.0, "between two pieces of a program's output")
    total: Duration = _field(900.0, "for a program from start to end")

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        segments = path.split("/")
        if segments[0] or any(part in (".", "..") for part in segments) or "//" in path:
            raise ValueError('a path begins with "/" and has no "//", "." or ".." in it')
        return path

    @model_validator(mode="after")
    def _check_kind(self) -> "Mount":
        if (self.docroot is None) == (self.cgi is None):
            raise ValueError(
                'a mount has either docroot = "DIRECTORY" or cgi = "DIRECTORY or FILE"'
            )
        return self


@_table
class Site:
    """[[site]]: the mounts of some host names; the first site takes all other names, too."""

    names: tuple[str, ...] = _field((), 'host names, as in ["example.org", "*.example.org"]')
    mount: tuple[Mount, ...] = Field(description="the mounts", min_length=1)


@_table
class Config:
    """The whole file."""

    workers: Count | Literal["auto"] = _field("auto", '"auto" is one per CPU that we may use')
    user: str = _field("", "user that serves, when started as root")
    group: str = _field("", 'group that serves; "" means the user\'s own')
    pid_file: OptionalPath = _field(None, 'file that names the master; "" is none')
    server: str = _field("forkhttpd", 'value of the Server field in answers; "" sends none')
    listen: tuple[Listen, ...] = Field(description="the listeners", min_length=1)
    log: Log = Field(default=Log(), description="the logs")
    timeouts: Timeouts = Field(default=Timeouts(), description="the deadlines")
    limits: Limits = Field(default=Limits(), description="the limits")
    pool: dict[str, Pool] = Field(default={"default": Pool()}, description="the pools")
    site: tuple[Site, ...] = Field(description="the sites", min_length=1)


__all__ = ["Config", "Limits", "Listen", "Log", "Mount", "Pool", "RequiredPath", "Site", "Timeouts"]
