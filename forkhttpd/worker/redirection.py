"""A request that another request is answered by: a program said so (RFC 3875 §6.2.2).

It is a request of the same client for another path: through the router again, so that whatever
guards that path guards it here, too.  It has no body, for that was the program's.
"""

from dataclasses import replace

from forkhttpd.http1 import target
from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.headers import Fields
from forkhttpd.http1.request import HeaderSection, Request

_OF_BODIES = ("content-length", "content-type", "expect", "trailer", "transfer-encoding")


def redirected(request: Request, path_and_query: str, *, number: int) -> Request:
    """Return the request for another path; `number` counts them.  Raises HTTPError 502.

    It is a GET, or still a HEAD.  Its id begins with that of the request that the client sent.
    """
    method = "HEAD" if request.method == "HEAD" else "GET"
    try:
        meant = target.parse(path_and_query, method)
    except HTTPError as error:
        raise HTTPError(502, f"{request.path}: redirected inside: {error.reason}") from None
    return Request(
        replace(request.line, method=method, target=meant),
        _without_body(request.section),
        hop=replace(request.hop, name=request.id, request_id=""),
        number=number,
        received=request.received,
    )


def _without_body(section: HeaderSection) -> HeaderSection:
    kept = tuple(item for item in section.fields if item[0] not in _OF_BODIES)
    return HeaderSection(
        Fields(kept),
        host=section.host,
        length=0,
        keep_alive=section.keep_alive,
        expects_continue=False,
    )
