"""Error statuses as pages: the one place where an error becomes something a person reads.

A page says what happened in the words of its status and nothing of why: reasons are for the
operator's log, where the request's id leads to them.
"""

import html
from string import Template

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.response import Bytes, Response
from forkhttpd.http1.writer import reason_phrase

_EXPLANATIONS = {
    400: "The server could not make sense of this request.",
    403: "This may not be seen.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    408: "The request took too long to arrive.",
    413: "The request is larger than this server accepts.",
    414: "The address is longer than this server accepts.",
    431: "The request's header is larger than this server accepts.",
    500: "The server has failed. Its log says how.",
    501: "The server does not know that method.",
    502: "The program behind this address gave no valid answer.",
    503: "The server is busy. Please try again in a moment.",
    504: "The program behind this address took too long.",
}

_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$status $phrase</title>
<style>
:root { color-scheme: light dark }
body { display: grid; min-height: 90vh; place-content: center; margin: 0 1.5rem;
  font: 1.05rem/1.6 system-ui, sans-serif; text-align: center }
h1 { margin: 0; font-size: 1.4rem; font-weight: 600 }
h1 span { display: block; font-size: 4.5rem; font-weight: 200; line-height: 1.1; opacity: .75 }
p { margin: .4rem 0; max-width: 32rem }
small { opacity: .6; font-family: ui-monospace, monospace }
</style>
</head>
<body>
<h1><span>$status</span>$phrase</h1>
<p>$explanation</p>
<p><small>$id</small></p>
</body>
</html>
""")


def error_response(error: HTTPError, *, id: str) -> Response:  # noqa: A002 - the field's term
    """Turn an error into its answer; `id` leads from the page to the log."""
    phrase = reason_phrase(error.status)
    page = _PAGE.substitute(
        status=error.status,
        phrase=html.escape(phrase),
        explanation=_EXPLANATIONS.get(error.status, ""),
        id=html.escape(f"request {id}" if id else ""),
    )
    fields = (("Content-Type", "text/html; charset=utf-8"), *error.fields)
    return Response(error.status, fields, Bytes(page.encode()), close_connection=error.close)
