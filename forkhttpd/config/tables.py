"""The tables of the configuration file, one frozen class each, with defaults and meanings.

The `description` of a field is its documentation: `etc/forkhttpd.conf` and the manual say the
same, and tests hold them to it.  A value that got this far is complete and plausible; what only
the machine can tell (does the directory exist, is there such a user) is checked by
`forkhttpd.config.check`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from forkhttpd.config.limits import Limits
from forkhttpd.config.listeners import Listen, Tls
from forkhttpd.config.names import (
    Account,
    Charset,
    ErrorStatus,
    FallbackStep,
    FieldName,
    FieldValue,
    FileName,
    HostName,
    LastSuffix,
    MediaType,
    MountPath,
    Product,
    Realm,
    RedirectTarget,
    Suffix,
    UserName,
    VariableName,
    VariableValue,
)
from forkhttpd.config.networks import Networks
from forkhttpd.config.pools import Pool, Pools
from forkhttpd.config.schema import CLOSED, Filled, described, option
from forkhttpd.config.values import (
    Codings,
    ControlPath,
    Directory,
    Duration,
    Flag,
    LogFile,
    Number,
    OptionalDuration,
    OptionalPath,
    PasswordFile,
    PositiveDuration,
    Size,
    Workers,
    control_beside,
)

KIND = (
    'a mount has one of docroot = "DIRECTORY", cgi = "DIRECTORY or FILE", '
    'redirect = "PATH or URL" and show = "status" and the like; write one of them'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """[log]: what is written where."""

    __pydantic_config__ = CLOSED

    access: LogFile = option("stdout", 'access log: a file, "stdout", "stderr" or "off"')
    format: Literal["common", "combined", "combined-plus", "json", "console"] = option(
        "combined", 'format: "common", "combined", "combined-plus", "json", or "console" for people'
    )
    error: LogFile = option("stderr", 'error log: a file, "stdout", "stderr" or "off"')
    level: Literal["debug", "info", "warning", "error"] = option(
        "info", 'least important message that the error log shows: "debug" to "error"'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """[timeouts]: how long we wait, each a deadline."""

    __pydantic_config__ = CLOSED

    handshake: PositiveDuration = option(10.0, "longest wait for a whole TLS handshake")
    header: PositiveDuration = option(
        20.0, "longest wait for a request's whole header, from its first byte"
    )
    body: PositiveDuration = option(60.0, "longest wait for the next piece of a request's body")
    write: PositiveDuration = option(
        60.0, "longest wait for the client to take the next piece of an answer"
    )
    idle: PositiveDuration = option(30.0, "longest wait for the next request on an open connection")
    graceful: Duration = option(
        30.0, "longest time for running requests to end after a stop or reload"
    )
    lame_duck: Duration = option(
        0.0, 'time between the word to stop and the stop, in which show = "ready" says no'
    )
    start: PositiveDuration = option(
        10.0, "longest time for a new worker or spawner to become ready"
    )
    heartbeat: PositiveDuration = option(
        10.0, "longest time without a sign of life of a worker, then it is replaced"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """[[site.mount]]: what the paths below `path` mean: files, programs, another address, or us."""

    __pydantic_config__ = CLOSED

    path: MountPath = option("/", "path that the mount stands for; the longest match wins")
    # Files.
    docroot: OptionalPath = option(None, "directory of files to serve")
    index: tuple[FileName, ...] = option(
        ("index.html",), "files that stand for their directory, the first found"
    )
    listing: Flag = option(False, "show a directory without index as a list")
    fallback: tuple[FallbackStep, ...] = option(
        (), 'files for what is not found, as in ["/index.html"]; ".html" is added to the path'
    )
    precompressed: Codings = option(
        (), 'send page.html.gz for page.html to who takes it: true, or of ["zst", "br", "gz"]'
    )
    expires: OptionalDuration = option(
        None, 'how long files may be kept without asking; "" is mute'
    )
    charset: Charset = option("utf-8", 'charset that text files are said to have; "" is none')
    # Programs.
    cgi: OptionalPath = option(None, "directory of CGI scripts, or one program for all paths below")
    suffix: tuple[Suffix, ...] = option(
        (), 'only files with these suffixes are scripts, as in [".php"]'
    )
    interpreter: OptionalPath = option(None, "program that runs the scripts, which then need no +x")
    interpreters: dict[LastSuffix, Directory] = option(
        {}, 'what runs scripts without +x, by suffix, as in { ".py" = "/usr/bin/python3" }'
    )
    pool: str = option("default", "pool that the programs run in")
    processes: Number = option(
        0, "most programs of this mount that run at once; 0 is as many as its pool may"
    )
    env: dict[VariableName, VariableValue] = option({}, "more environment for the programs")
    pass_authorization: Flag = option(False, "programs see the Authorization field")
    background: Literal["kill", "leave"] = option(
        "kill", 'what a program leaves running at its end: "kill" or "leave"'
    )
    drain_grace: Duration = option(
        0.5, "longest silence after a program's end, while something it left holds its output open"
    )
    on_disconnect: Literal["kill", "finish"] = option(
        "kill", 'what becomes of a program when its client leaves: "kill" or "finish"'
    )
    disconnect_grace: Duration = option(
        1.0, "time until a client that sends no more counts as gone; a closed tab looks like that"
    )
    half_close: Flag = option(
        False, "clients that send no more still want the answer, however long it takes"
    )
    sendfile_roots: tuple[Directory, ...] = option(
        (), "directories whose files a program may have sent, with an X-Sendfile field"
    )
    first_byte: PositiveDuration = option(
        60.0, "longest wait for a program's first byte of output, else 504"
    )
    silence: PositiveDuration = option(
        60.0, "longest time between two pieces of a program's output"
    )
    total: PositiveDuration = option(900.0, "longest time for a program from start to end")
    spool: Size = option(
        64 << 20, "most bytes of output that are kept for a slow client; 0 holds the program back"
    )

    # All kinds.
    allow: Networks = option((), 'who may come in, as in ["10.0.0.0/8"]; nobody else may, then')
    deny: Networks = option((), "who may not; of two networks the smaller one counts")
    password_file: PasswordFile = option(
        "site", 'names and passwords that open it, by htpasswd; "site" is the site\'s, "" is none'
    )
    realm: Realm = option("", 'what the password is for; "" is what the site says')
    users: tuple[UserName, ...] = option((), "names that may come in; [] is every one in the file")
    # Files and programs.
    symlinks: Literal["never", "owner", "inside", "all"] = option(
        "inside", 'links to follow: "never", "owner" (to what is its owner\'s), "inside", "all"'
    )
    headers: dict[FieldName, FieldValue] = option(
        {}, 'more fields of the answers, as in { Cache-Control = "no-cache" }'
    )
    # Another address.
    redirect: RedirectTarget = option(
        "", "path or address that takes the place of `path`; what follows it stays"
    )
    status: Literal[301, 302, 307, 308] = option(
        301, "kind of redirect: 301, 308 for good; 302, 307 for now; 307, 308 keep the method"
    )
    # The server itself.
    show: Literal["", "metrics", "status", "ready"] = option(
        "", 'what the server shows of itself: "metrics", "status" (a page), "ready" (200 or 503)'
    )

    def __post_init__(self) -> None:
        """Raise ValueError where keys do not go together."""
        if sum(map(bool, (self.docroot, self.cgi, self.redirect, self.show))) != 1:
            raise ValueError(KIND)
        if self.interpreter and self.interpreters:
            raise ValueError("interpreter runs all scripts; remove it, or interpreters")
        if self.redirect == self.path:
            raise ValueError("redirect leads to the mount itself; write where it has moved")


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """[[site]]: the mounts of some host names; the first site takes all other names, too."""

    __pydantic_config__ = CLOSED

    names: tuple[HostName, ...] = option((), 'host names, as in ["example.org", "*.example.org"]')
    certificate: OptionalPath = option(
        None, "PEM file with the site's certificate and the chain above it, for TLS"
    )
    key: OptionalPath = option(
        None, 'PEM file with the certificate\'s private key; "" means it is in that file, too'
    )
    admin: VariableValue = option("", "mail address that programs find in SERVER_ADMIN")
    debug: Flag = option(False, "clients on this machine are told what is wrong with a program")
    error_pages: dict[ErrorStatus, Directory] = option(
        {}, 'files that are shown with errors, as in { 404 = "www/404.html" }'
    )
    allow: Networks = option((), "who may come in, where a mount does not say it itself")
    deny: Networks = option((), "who may not")
    password_file: OptionalPath = option(None, "names and passwords that open the site")
    realm: Realm = option("", 'what the password is for; "" is "private"')
    users: tuple[UserName, ...] = option((), "names that may come in; [] is every one in the file")
    mount: Annotated[tuple[Mount, ...], Filled()] = field(
        metadata=described("what the paths of the site mean")
    )

    def password_file_of(self, mount: Mount) -> Path | None:
        """Return the file with the passwords of one of the mounts, None when it asks for none."""
        file = mount.password_file
        return self.password_file if isinstance(file, str) else file


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The whole file."""

    __pydantic_config__ = CLOSED

    workers: Workers = option(
        "auto", 'a number, "auto" for one per CPU, or { min = 1, max = 8 } as the load asks for'
    )
    max_requests: Number = option(
        0, "requests after which a worker is replaced by a new one; 0 is never"
    )
    max_requests_jitter: Number = option(
        0, "most requests that chance adds to max_requests, so that not all are due at once"
    )
    worker_memory: Size = option(
        0, 'resident memory above which a worker is replaced, as in "256M"; 0 is never'
    )
    user: Account = option("", "user that serves, when started as root")
    group: Account = option("", 'group that serves; "" means the user\'s own')
    pid_file: OptionalPath = option(None, 'file that names the master; "" is none')
    control_socket: ControlPath = option(
        "auto", 'socket for status and -s reload; "auto" is beside pid_file, "" is none'
    )
    server: Product = option("forkhttpd", 'value of the Server field in answers; "" sends none')
    trusted_proxies: Networks = option(
        (), 'proxies that are believed who the client is, as in ["127.0.0.1", "unix"]'
    )
    forwarded: Literal["X-Forwarded-For", "Forwarded"] = option(
        "X-Forwarded-For", 'field that they say it in: "X-Forwarded-For" or "Forwarded"'
    )
    request_id: Flag = option(False, "answers say the request's id in an X-Request-ID field")
    types: dict[LastSuffix, MediaType] = option(
        {}, 'more media types by suffix, as in { ".gmi" = "text/gemini" }'
    )
    listen: Annotated[tuple[Listen, ...], Filled()] = field(metadata=described("the listeners"))
    tls: Tls = option(Tls(), "the terms of TLS")
    log: Log = option(Log(), "the logs")
    timeouts: Timeouts = option(Timeouts(), "the deadlines")
    limits: Limits = option(Limits(), "the limits")
    pool: Pools = option({"default": Pool()}, "the pools")
    site: Annotated[tuple[Site, ...], Filled()] = field(metadata=described("the sites"))

    @property
    def control_path(self) -> Path | None:
        """Where the control socket is: forkhttpd.control beside forkhttpd.pid, say."""
        if self.control_socket != "auto":
            return self.control_socket
        return control_beside(self.pid_file) if self.pid_file else None

    def mounts(self) -> Iterator[tuple[tuple[str | int, ...], Mount]]:
        """Yield every mount with its position in the file: ("site", 0, "mount", 1)."""
        for index, site in enumerate(self.site):
            for number, mount in enumerate(site.mount):
                yield ("site", index, "mount", number), mount


__all__ = ["Config", "Limits", "Listen", "Log", "Mount", "Pool", "Site", "Timeouts", "Tls"]
