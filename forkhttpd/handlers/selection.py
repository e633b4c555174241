"""What of a file is sent: S6, by what the client has already; S5, by the parts it asks for."""

import secrets

from forkhttpd.handlers.files import Found
from forkhttpd.http1 import conditional, multipart, ranges
from forkhttpd.http1.conditional import Outcome
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.ranges import Range
from forkhttpd.http1.request import Request
from forkhttpd.http1.response import Body, Bytes, FileParts, FileSlice, Response


def choose(request: Request, found: Found) -> Response:
    """Return the answer to the request's conditions: all, a part or nothing of what was found."""
    if not request.section.conditional:
        return found.whole
    try:
        chosen = _by_conditions(request, found)
    except HTTPError:
        found.release()
        raise
    if chosen is found.entry.unchanged:
        found.release()
    return chosen


def _by_conditions(request: Request, found: Found) -> Response:
    entry = found.entry
    match conditional.evaluate(
        request.method, request.fields, etag=entry.etag, last_modified=entry.modified
    ):
        case Outcome.NOT_MODIFIED:
            return entry.unchanged
        case Outcome.PRECONDITION_FAILED:
            raise HTTPError(412, f"{request.path}: has another version")
    values = request.fields.all("range")
    if len(values) != 1 or request.method != "GET":  # RFC 9110 §14.2; it is no list field
        return found.whole
    if not conditional.if_range_holds(
        request.fields, etag=entry.etag, last_modified=entry.modified
    ):
        return found.whole
    return _by_ranges(values[0], found)


def _by_ranges(value: str, found: Found) -> Response:
    """Return the parts that were asked for; all, where that is less."""
    size = found.entry.size
    parsed = ranges.parse(value, size)
    if parsed is None:
        return found.whole
    parts = ranges.coalesce(parsed)
    return _part(parts[0], found) if len(parts) == 1 else _parts(parts, found)


def _part(part: Range, found: Found) -> Response:
    content_range = ranges.content_range(part, found.entry.size)
    fields = (*found.entry.fields, ("Content-Range", content_range))
    return Response(206, fields, _slice(found.whole.body, *part))


def _parts(parts: list[Range], found: Found) -> Response:
    """Return several parts as one body, which is never longer than the whole."""
    content_type = dict(found.entry.fields)["Content-Type"]
    composed = multipart.compose(
        parts,
        found.entry.size,
        content_type=content_type,
        boundary=secrets.token_hex(12),
    )
    if composed.length >= found.entry.size:
        return found.whole
    others = tuple(item for item in found.entry.fields if item[0] != "Content-Type")
    fields = (("Content-Type", composed.content_type), *others)
    match found.whole.body:
        case Bytes(data=data):
            return Response(206, fields, Bytes(composed.of(data)))
        case FileSlice(fd=fd):
            return Response(206, fields, FileParts(fd, composed.parts, composed.end))
    raise AssertionError(f"a file's answer has no {type(found.whole.body).__name__}")


def _slice(body: Body, start: int, length: int) -> Body:
    match body:
        case Bytes(data=data):
            return Bytes(data[start : start + length])
        case FileSlice(fd=fd):
            return FileSlice(fd, start, length)
    raise AssertionError(f"a file's answer has no {type(body).__name__}")
