"""Byte ranges of a request: RFC 9110 §14.

A Range field is a wish, and the whole representation is always a right answer (§14.2), so what is
malformed or greedy is ignored: more than 16 ranges, say.  The value is read once from left to right
(CVE-2025-62727).

Ranges that overlap, or nearly touch, are sent as one (§15.3.7.2), so no byte of a file is sent
twice, whatever was asked for (S5, CVE-2011-3192).
"""

import re

from forkhttpd.http1.errors import HTTPError

Range = tuple[int, int]  # start and length, the length is never 0

_RANGE_LIMIT = 16
_GAP = 128  # bytes, about what a part costs besides its content: sending them is no more
_UNIT = re.compile(r"bytes=", re.IGNORECASE)  # §14.1: the names of units know no case
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_BEYOND = 1 << 63  # past the end of any file
_BEYOND_DIGITS = len(str(_BEYOND))


def parse(value: str, size: int) -> list[Range] | None:
    """Return the satisfiable ranges of a representation of `size` bytes, in the client's order.

    None: ignore the field and send everything.  Raises HTTPError 416 when the field is well formed
    and nothing of it can be satisfied.
    """
    unit = _UNIT.match(value)
    specs = _list(value[unit.end() :]) if unit else []
    if not 0 < len(specs) <= _RANGE_LIMIT:
        return None
    ranges = []
    for spec in specs:
        found = _resolve(spec, size)
        if found is None:
            return None
        ranges.append(found)
    return _satisfiable(ranges, size)


def coalesce(ranges: list[Range], *, gap: int = _GAP) -> list[Range]:
    """Join ranges that overlap or have at most `gap` bytes between them.

    The order stays the client's (§15.3.7.2); what is joined stands where its first member stood.
    """
    joined: list[Range] = []
    for start, length in ranges:
        end = start + length
        near = [(s, n) for s, n in joined if s <= end + gap and start <= s + n + gap]
        if near:
            start, end = min(start, *(s for s, _ in near)), max(end, *(s + n for s, n in near))
        place = joined.index(near[0]) if near else len(joined)
        joined = [part for part in joined if part not in near]
        joined.insert(place, (start, end - start))
    return joined


def content_range(found: Range, size: int) -> str:
    """Return the value of Content-Range for one range (§14.4)."""
    start, length = found
    return f"bytes {start}-{start + length - 1}/{size}"


def _satisfiable(ranges: list[Range], size: int) -> list[Range]:
    found = [(start, length) for start, length in ranges if length > 0]
    if not found:
        raise HTTPError(
            416, "no range within the file", fields=(("Content-Range", f"bytes */{size}"),)
        )
    return found


def _list(value: str) -> list[str]:
    """Return the members of a list; empty ones do not count (RFC 9110 §5.6.1.2)."""
    return [member for part in value.split(",") if (member := part.strip(" \t"))]


def _resolve(spec: str, size: int) -> Range | None:
    """Return the part of the file that a spec names, of length 0 outside it; None: malformed."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(last, size)
    start, end = _number(first), _number(last) if last else _BEYOND
    return (start, max(0, min(end + 1, size) - start)) if start <= end else None


def _suffix(digits: str, size: int) -> Range | None:
    """Resolve `-N`.  Of an empty file it is satisfiable, and only a 200 can say so (§14.1.2)."""
    length = _number(digits) if digits else 0
    if not digits or (length and not size):
        return None
    length = min(length, size)
    return size - length, length


def _number(digits: str) -> int:
    """Read digits; int() of a long run of them is quadratic and may raise."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) < _BEYOND_DIGITS else _BEYOND
