"""The configuration: typed, frozen, complete and checked before anything is bound.

    read (source) → parse (load): wording, conflicts → check → dump
    a file's text   a Config, or every problem of it   the machine   TOML again

`tables` says what there is, `values` and `names` how it is spelled, `lines` where it stands;
`schema` is what tables are declared with.  Who serves has a `reader` do the rest (`examination`),
and gets a `Reading`, since `load` and `dump` bring pydantic along.
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
