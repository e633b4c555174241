"""Requests by hand: speed means nothing before the answer is right."""

import hashlib
import http.client
import ssl
import time
from contextlib import closing

from scripts.benchmark.case import Case, Field
from scripts.benchmark.site import Site

_DEADLINE = 10.0
_POLL = 0.05
_START_POLL = 0.001


class WrongAnswerError(Exception):
    """A server does not answer a case as it must."""


def await_first_answer(port: int, path: str, body: bytes) -> None:
    """Ask until there is an answer, which must be right.  Raises WrongAnswerError."""
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            status, _, received = _ask_once(port, path)
            break
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > deadline:
                raise WrongAnswerError(f"no answer: {error}") from error
            time.sleep(_START_POLL)
    if status != 200 or received != body:
        raise WrongAnswerError(f"the first answer is wrong: status {status}")


def await_right_answer(port: int, case: Case, site: Site, *, keeps: bool) -> tuple[Field, ...]:
    """Ask until the answer is right: a CGI daemon may need a moment longer than its listener.

    Returns the fields that the case's requests need beside its own: the validator of its file.
    With `keeps`, connections must last as the case has it.  Raises WrongAnswerError with the last
    problem.
    """
    deadline = time.monotonic() + _DEADLINE
    fields: tuple[Field, ...] = ()
    if case.revalidates:
        fields = (("If-None-Match", entity_tag(port, case.path)),)
    while problem := answer_problem(port, case, right_body(case, site), fields, keeps=keeps):
        if time.monotonic() > deadline:
            raise WrongAnswerError(problem)
        time.sleep(_POLL)
    return fields


def right_body(case: Case, site: Site) -> bytes | None:
    """What an answer's body must be; None where it is the server's choice."""
    if case.status == 304:
        return b""
    body = site.bodies.get(case.path)
    if body is None or case.piece is None:
        return body
    first, last = case.piece
    return body[first : last + 1]


def entity_tag(port: int, path: str) -> str:
    """The validator of a file.  Raises WrongAnswerError if it has none."""
    try:
        _, response, _ = _ask_once(port, path)
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswerError(f"no answer: {error}") from error
    tag = response.getheader("ETag")
    if tag is None:
        raise WrongAnswerError("the answer has no ETag")
    return tag


def answer_problem(
    port: int, case: Case, body: bytes | None, fields: tuple[Field, ...] = (), *, keeps: bool
) -> str | None:
    """What is wrong with the answers to two requests, over one connection if it keeps; or None."""
    connection = _connect(port, tls=case.tls)
    try:
        for _ in range(2):
            if not keeps:
                connection.close()
            status, _, received = _ask(connection, case.path, (*case.request_fields, *fields))
            # http.client gives up its socket when it has understood that the connection ends.
            closes = connection.sock is None
            if problem := _problem(case, status, received, body):
                return problem
            if keeps and closes != case.closes:
                return "closes the connection" if closes else "keeps the connection open"
        return None
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def _connect(port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=_DEADLINE)
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=_DEADLINE, context=anybody)


def _ask_once(port: int, path: str) -> tuple[int, http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_DEADLINE)) as connection:
        return _ask(connection, path, ())


def _ask(
    connection: http.client.HTTPConnection, path: str, fields: tuple[Field, ...]
) -> tuple[int, http.client.HTTPResponse, bytes]:
    connection.request("GET", path, headers=dict(fields))
    response = connection.getresponse()
    return response.status, response, response.read()


def _problem(case: Case, status: int, received: bytes, body: bytes | None) -> str | None:
    if status != case.status:
        return f"status {status} instead of {case.status}"
    if body is not None and len(received) != len(body):
        return f"{len(received)} bytes instead of {len(body)}"
    if body is not None and _digest(received) != _digest(body):
        return "the right number of bytes, but the wrong ones"
    return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
