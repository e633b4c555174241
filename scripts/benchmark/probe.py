"""One request by hand: speed means nothing before the answer is right."""

import hashlib
import http.client
import time

from scripts.benchmark.case import Case

_DEADLINE = 10.0
_POLL = 0.05


class WrongAnswerError(Exception):
    """A server does not answer a case as it must."""


def await_right_answer(port: int, case: Case, body: bytes) -> None:
    """Ask until the answer is right: a CGI daemon may need a moment longer than its listener.

    Raises WrongAnswerError with the last problem.
    """
    deadline = time.monotonic() + _DEADLINE
    while problem := answer_problem(port, case, body):
        if time.monotonic() > deadline:
            raise WrongAnswerError(f"{case.name}: {problem}")
        time.sleep(_POLL)


def answer_problem(port: int, case: Case, body: bytes) -> str | None:
    """What is wrong with the answers to two requests over one connection, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_DEADLINE)
    try:
        return _first_problem(connection, case, body) or _first_problem(connection, case, body)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def _first_problem(connection: http.client.HTTPConnection, case: Case, body: bytes) -> str | None:
    connection.request("GET", case.path, headers=dict(case.fields))
    response = connection.getresponse()
    received = response.read()
    if response.status != case.status:
        return f"status {response.status} instead of {case.status}"
    if len(received) != len(body):
        return f"{len(received)} bytes instead of {len(body)}"
    if _digest(received) != _digest(body):
        return "the right number of bytes, but the wrong ones"
    # http.client gives up its socket when it has understood that the connection ends.
    closes = connection.sock is None
    if closes != case.closes:
        return "closes the connection" if closes else "keeps the connection open"
    return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
