"""A table by host name: exact names, wildcards, and a default for all others.

What the Host field of a request is looked up in, and the server name of a TLS handshake, so that
both lead to the same site.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Hosts(Generic[T]):
    """Values by host name; a name is only looked up, never used as a path (H2)."""

    __slots__ = ("_default", "_names", "_wildcards")

    def __init__(self, default: T) -> None:
        self._default = default
        self._names: dict[str, T] = {}
        self._wildcards: dict[str, T] = {}

    def add(self, name: str, value: T) -> None:
        """Enter a name as the configuration spells it: "example.org" or "*.example.org"."""
        if name.startswith("*."):
            self._wildcards[name[1:].lower()] = value
        else:
            self._names[name.lower()] = value

    def find(self, host: str) -> T:
        """Return the value of a host in lower case: exact, by its longest wildcard, the default."""
        host = host.removesuffix(".")  # a name and its absolute form are one host (RFC 1034 §3.1)
        value = self._names.get(host)
        while value is None and (dot := host.find(".")) >= 0:
            host = host[dot + 1 :]
            value = self._wildcards.get("." + host)
        return self._default if value is None else value
