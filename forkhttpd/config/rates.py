"""Rates of the configuration: "20/s", "300/m", "1000/h"."""

import re
from dataclasses import dataclass
from typing import Annotated

from forkhttpd.config.schema import Spelled

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many, each so many seconds."""

    count: int
    seconds: float

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _UNITS.items() if seconds == self.seconds)
        return f"{self.count}/{unit}"


def parse_rate(text: object) -> Rate:
    """Return a rate.  Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,10})/([smh])", text) if isinstance(text, str) else None
    if match is None or not 1 <= int(match[1]) <= _MOST:
        raise ValueError('not a rate; write how many a second, minute or hour, as in "20/s"')
    return Rate(int(match[1]), _UNITS[match[2]])


def _or_none(value: object) -> Rate | None:
    return None if value == "" else parse_rate(value)


def _spell(rate: Rate | None) -> str:
    return str(rate or "")


RateOf = Annotated[Rate, Spelled(parse_rate)]
OptionalRate = Annotated[Rate | None, Spelled(_or_none, _spell)]
