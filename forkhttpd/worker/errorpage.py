"""Error statuses as pages: the one place where an error becomes something a person reads.

A page says what happened in the words of its status and nothing of why: reasons are for the
operator's log, where the request's id leads to them.

A site may have pages of its own.  Each is a file that is read when it is shown, so that an edit
shows at once; where that fails the error keeps its status and has our page.  Errors from before
the site is known (a request that cannot be read) always have ours.
"""

import html
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.response import Bytes, Response
from forkhttpd.http1.writer import reason_phrase

_EXPLANATIONS = {
    400: "The server could not make sense of this request.",
    401: "This is for those who have a name and a password here.",
    403: "This may not be seen.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    408: "The request took too long to arrive.",
    412: "What is here has changed meanwhile.",
    413: "The request is larger than this server accepts.",
    414: "The address is longer than this server accepts.",
    416: "The file is shorter than the part that was asked for.",
    417: "The server does not do what the request expects of it.",
    421: "This address is not served over this connection.",
    429: "This was asked for too often. Please try again in a moment.",
    431: "The request's header is larger than this server accepts.",
    500: "The server has failed. Its log says how.",
    501: "The server does not know that method.",
    502: "The program behind this address gave no valid answer.",
    503: "The server is busy. Please try again in a moment.",
    504: "The program behind this address took too long.",
    505: "The server speaks HTTP/1.0 and HTTP/1.1.",
}

# In the listing's colours.  All of it is sent with each 404, so it stays below a KiB.
_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$status $phrase</title>
<style>
:root { color-scheme: light dark }
body { display: grid; min-height: 90vh; margin: 1rem 1.25rem; place-content: center;
  background: #f5f6f9; color: #1d2433; font: 16px/1.5 system-ui, sans-serif; text-align: center }
h1 { margin: 0; font-size: 1.25rem; font-weight: 600 }
b { display: block; font-size: 4rem; font-weight: 300; line-height: 1.2 }
b, small { opacity: .7 }
p { margin: .5rem 0 }
a { color: #2456c9 }
@media (prefers-color-scheme: dark) {
  body { background: #12161e; color: #e4e8f0 }
  a { color: #8fb4ff }
}
$style</style>
</head>
<body>
<h1><b>$status</b>$phrase</h1>
<p>$explanation</p>
$details$home<p><small>$id</small></p>
</body>
</html>
""")

_HOME = '<p><a href="/">Start page</a></p>\n'

_STYLE_OF_DETAILS = """\
h2 { margin: 1.5rem 0 .25rem; font-size: 1rem; text-align: left }
pre { margin: 0 0 1rem; max-width: min(60rem, 92vw); padding: .75rem 1rem; border-radius: 12px;
  background: color-mix(in srgb, currentColor 8%, transparent); text-align: left;
  font: .875rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
"""


def error_response(error: HTTPError, *, id: str) -> Response:  # noqa: A002 - the field's term
    """Turn an error into its answer; `id` leads from the page to the log."""
    page = _PAGE.substitute(
        status=error.status,
        phrase=html.escape(reason_phrase(error.status)),
        explanation=_EXPLANATIONS.get(error.status, ""),
        style=_STYLE_OF_DETAILS if error.details else "",
        details=_details(error),
        home="" if error.close else _HOME,  # that one was no request to a site
        id=html.escape(f"request {id}" if id else ""),
    )
    fields = (("Content-Type", "text/html; charset=utf-8"), *error.fields)
    return Response(error.status, fields, Bytes(page.encode()), close_connection=error.close)


def _details(error: HTTPError) -> str:
    """Return what a client may know beside the status, each text under its heading (O9)."""
    return "".join(
        f"<h2>{html.escape(heading)}</h2>\n<pre>{html.escape(text)}</pre>\n"
        for heading, text in error.details
    )


_LARGEST: Final = 1 << 20  # bytes of a page; it is read whole, and while all others wait
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Page:
    """A site's own page for a status, and the type of its content."""

    file: Path
    content_type: str


class ErrorPages:
    """The error pages of a site, its own and ours."""

    __slots__ = ("_log", "_pages")

    def __init__(self, pages: Mapping[int, Page], *, log: logging.Logger) -> None:
        self._pages = pages
        self._log = log

    def response(self, error: HTTPError, *, id: str) -> Response:  # noqa: A002 - the field's term
        """Turn an error into its answer, as `error_response` does; details are for our page."""
        page = None if error.details else self._pages.get(error.status)
        content = None if page is None else self._read(page.file)
        if page is None or content is None:
            return error_response(error, id=id)
        fields = (("Content-Type", page.content_type), *error.fields)
        return Response(error.status, fields, Bytes(content), close_connection=error.close)

    def has_own(self, status: int) -> bool:
        """Whether the site has a page for a status, which is then read each time."""
        return status in self._pages

    def _read(self, file: Path) -> bytes | None:
        """Return what a page has now; None, and a line in the log, when it cannot be read."""
        try:
            fd = os.open(file, _FLAGS)
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise OSError("not a regular file")
                content = os.read(fd, _LARGEST + 1)
            finally:
                os.close(fd)
            if len(content) > _LARGEST:
                raise OSError(f"more than {_LARGEST} bytes")
        except OSError as error:
            self._log.error("error page %s: %s", file, error.strerror or error)
            return None
        return content
