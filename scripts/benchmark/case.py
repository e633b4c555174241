"""The cases: what is asked for, over how many connections, and what a server must be able to do."""

from dataclasses import dataclass
from enum import Enum

from scripts.benchmark.site import (
    ABSENT,
    COMPILED,
    FORM,
    GUESTBOOK,
    LARGE,
    MANY,
    MEDIUM,
    SHELL,
    SMALL,
)

Field = tuple[str, str]


class Ability(Enum):
    """What a case asks of a server."""

    FIXED = "answers fixed bytes"
    KEEPS = "keeps connections open"
    FILES = "serves files"
    PROGRAMS = "runs CGI programs"
    SCRIPTS = "runs Python scripts"
    RELOADS = "reloads while it serves"
    TLS = "speaks TLS"
    CROWDS = "holds thousands of connections"
    PATIENCE = "bears thousands of requests that do not end"


class Kind(Enum):
    """How a case is measured."""

    LOAD = "as many requests as the server takes"
    BUSY = "a file now and then, while as many programs run as the server takes"
    SLOW = "a file now and then, while thousands of slow clients are connected"
    RELOAD = "as many requests as the server takes, with and without reloads"
    ALONE = "a start, with no other server running, and what the idle processes hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of load: `connections` clients that ask for `path` again and again.

    `piece` is the first and last byte of a range.  With `revalidates`, clients have the file
    already and ask whether it is still good.  With `varied`, they ask for a thousand files with a
    hundred kinds of header.  The `quick` cases are those of a quick run.
    """

    name: str
    title: str
    path: str = SMALL
    connections: int = 32
    needs: frozenset[Ability] = frozenset({Ability.KEEPS, Ability.FILES})
    kind: Kind = Kind.LOAD
    fields: tuple[Field, ...] = ()
    status: int = 200
    piece: tuple[int, int] | None = None
    revalidates: bool = False
    varied: bool = False
    quick: bool = False

    @property
    def tls(self) -> bool:
        """Whether the requests are encrypted."""
        return Ability.TLS in self.needs

    @property
    def closes(self) -> bool:
        """Whether every request is the last one of its connection."""
        return ("Connection", "close") in self.fields

    @property
    def request_fields(self) -> tuple[Field, ...]:
        """The fields that are known beforehand: all but the validator."""
        if self.piece is None:
            return self.fields
        return (*self.fields, ("Range", "bytes={}-{}".format(*self.piece)))


_FIXED = frozenset({Ability.FIXED, Ability.KEEPS})  # all that the floor can do
_ENCRYPTED = frozenset({Ability.KEEPS, Ability.FILES, Ability.TLS})
_PROGRAMS = frozenset({Ability.PROGRAMS})
_SCRIPTS = frozenset({Ability.SCRIPTS})

# Programs of eight clients run at once: four per core on a small machine, more would only queue.
# 10 MB over few connections: enough for two workers, and little is cut off when a run ends.
CASES = (
    Case(name="1k", title="1 KB keep-alive", needs=_FIXED, quick=True),
    Case(
        name="many",
        title="100 header sets, 1,000 files",
        path=MANY.format(0),
        varied=True,
        quick=True,
    ),
    Case(
        name="close",
        title="1 KB Connection: close",
        needs=frozenset({Ability.FILES}),
        fields=(("Connection", "close"),),
        quick=True,
    ),
    Case(name="304", title="304 by If-None-Match", status=304, revalidates=True),
    Case(name="404", title="404", path=ABSENT, status=404),
    Case(name="100k", title="100 KB", path=MEDIUM),
    Case(name="10m", title="10 MB", path=LARGE, connections=4),
    Case(
        name="range",
        title="1 MB of 10 MB",
        path=LARGE,
        connections=4,
        status=206,
        piece=(4 << 20, (5 << 20) - 1),
    ),
    Case(name="tls-1k", title="1 KB over TLS", needs=_ENCRYPTED, quick=True),
    Case(name="tls-10m", title="10 MB over TLS", path=LARGE, connections=4, needs=_ENCRYPTED),
    Case(
        name="cgi",
        title="Compiled program",
        path=COMPILED,
        connections=8,
        needs=_PROGRAMS,
        quick=True,
    ),
    Case(name="shell", title="Shell script", path=SHELL, connections=8, needs=_PROGRAMS),
    Case(
        name="python",
        title="Python: json, html, urllib",
        path=FORM,
        connections=8,
        needs=_SCRIPTS,
        quick=True,
    ),
    Case(
        name="python-more",
        title="Python: sqlite3, email, too",
        path=GUESTBOOK,
        connections=8,
        needs=_SCRIPTS,
    ),
    Case(
        name="busy",
        title="1 KB while programs run",
        path=COMPILED,
        connections=16,
        needs=_PROGRAMS,
        kind=Kind.BUSY,
        quick=True,
    ),
    Case(
        name="slow",
        title="1 KB beside 2,000 slow clients",
        needs=frozenset({Ability.KEEPS, Ability.FILES, Ability.PATIENCE}),
        kind=Kind.SLOW,
    ),
    Case(
        name="reload",
        title="Reload every second",
        needs=frozenset({Ability.RELOADS}),
        kind=Kind.RELOAD,
    ),
    Case(
        name="alone",
        title="Start and memory",
        needs=frozenset({Ability.FILES}),
        kind=Kind.ALONE,
        quick=True,
    ),
)
