"""The configuration: typed, frozen, complete and checked before anything is bound.

    read (source) → parse (load): wording, conflicts → check → dump
    a file's text   a Config, or every problem of it   the machine   TOML again

`tables` says what there is, with `listeners`, `limits` and `pools`; `schema` is what tables are
declared with; `values`, `names`, `networks` and `rates` say how it is spelled, `lines` and `places`
where it stands, and `phrases` are parts of what is said about it.

`check` asks, each about one thing, `accounts`, `bypasses`, `certificates`, `exposure`, `htaccess`,
`passwords` and `risks`; `extras` are the packages that some keys need.

Who serves has a `reader` do the rest (`examination`), and gets a `reading`, since `load` and `dump`
bring pydantic along; `whereabouts` finds a master whose file has gone wrong.
"""

from forkhttpd.config.tables import Config, Limits, Listen, Log, Mount, Pool, Site, Timeouts, Tls
from forkhttpd.config.values import Address, WorkerRange

__all__ = [
    "Address",
    "Config",
    "Limits",
    "Listen",
    "Log",
    "Mount",
    "Pool",
    "Site",
    "Timeouts",
    "Tls",
    "WorkerRange",
]
