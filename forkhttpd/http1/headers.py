"""Fields of a message: an ordered list of names and values that is asked by name.

Names are lower-case; values are the wire's bytes as latin-1 text, without surrounding white space
(RFC 9110 §5.5), so that any byte survives the way in and out again.
"""

from collections.abc import Iterator

Items = tuple[tuple[str, str], ...]


class Fields:
    """Received fields, immutable, in the order of the wire."""

    __slots__ = ("_first", "items")

    def __init__(self, items: Items) -> None:
        self.items = items
        self._first = dict(reversed(items))

    def get(self, name: str) -> str | None:
        """Return the first value of a field, or None."""
        return self._first.get(name)

    def all(self, name: str) -> list[str]:
        """Return every value of a field, in order."""
        return [value for key, value in self.items if key == name]

    def joined(self, name: str) -> str | None:
        """Return all values of a list field as one (RFC 9110 §5.3), or None when there is none."""
        return ", ".join(self.all(name)) if name in self._first else None

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
