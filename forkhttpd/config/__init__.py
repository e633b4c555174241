"""The configuration: typed, frozen, complete and checked before anything is bound."""

from forkhttpd.config.tables import Config, Limits, Listen, Log, Mount, Pool, Site, Timeouts
from forkhttpd.config.values import Address

__all__ = ["Address", "Config", "Limits", "Listen", "Log", "Mount", "Pool", "Site", "Timeouts"]
