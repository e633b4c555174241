"""The cases: what is asked for, over how many connections, and what a server must be able to do."""

from dataclasses import dataclass
from enum import Enum

from scripts.benchmark.site import LARGE, MEDIUM, PROGRAM, SMALL


class Ability(Enum):
    """What a case asks of a server."""

    FIXED = "answers fixed bytes"  # all that the floor can do
    STATIC = "serves files"
    CGI = "runs CGI programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of load: `connections` clients that ask for `path` again and again."""

    name: str
    title: str
    path: str
    connections: int
    ability: Ability = Ability.STATIC
    fields: tuple[tuple[str, str], ...] = ()
    status: int = 200

    @property
    def closes(self) -> bool:
        """Whether every request is the last one of its connection."""
        return ("Connection", "close") in self.fields


# 10 MB over few connections: enough for two workers, and little is cut off when a run ends.
CASES = (
    Case(name="1k", title="1 KB keep-alive", path=SMALL, connections=32, ability=Ability.FIXED),
    Case(
        name="close",
        title="1 KB Connection: close",
        path=SMALL,
        connections=32,
        fields=(("Connection", "close"),),
    ),
    Case(name="100k", title="100 KB", path=MEDIUM, connections=32),
    Case(name="10m", title="10 MB", path=LARGE, connections=4),
    Case(name="cgi", title="CGI, compiled", path=PROGRAM, connections=8, ability=Ability.CGI),
)
