"""What a client is told of an error, and what not."""

import re
from html.parser import HTMLParser

import pytest

from forkhttpd.http1.errors import HTTPError
from forkhttpd.http1.response import Bytes
from forkhttpd.worker.errorpage import error_response

STATUSES = (400, 401, 403, 404, 405, 408, 412, 413, 414, 416, 417, 421, 429, 431, 500, 501, 502,
            503, 504, 505)  # fmt: skip


class Text(HTMLParser):
    """The words of a page; fails where its elements do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words += data


def page(error: HTTPError, name: str = "1-2-3") -> str:
    response = error_response(error, id=name)
    assert isinstance(response.body, Bytes)
    return response.body.data.decode()


@pytest.mark.parametrize("status", STATUSES)
def test_every_page_says_its_status_in_numbers_and_words(status: int) -> None:
    response = error_response(HTTPError(status), id="1-2-3")
    assert response.status == status
    assert dict(response.fields)["Content-Type"] == "text/html; charset=utf-8"
    words = Text(page(HTTPError(status))).words
    assert str(status) in words
    assert "request 1-2-3" in words


@pytest.mark.parametrize("status", STATUSES)
def test_a_page_leads_home_and_asks_nobody_for_anything_in_less_than_a_kib(status: int) -> None:
    text = page(HTTPError(status), "worker-100000-100000-1000")
    assert '<a href="/">' in text
    assert len(text) < 1024
    assert not re.search(r"src|url\(|@import|<link|//", text)


def test_what_was_no_request_to_a_site_is_led_nowhere() -> None:
    assert "href" not in page(HTTPError(400, close=True))


def test_details_are_escaped_and_bring_their_own_style() -> None:
    error = HTTPError(502)
    assert "pre {" not in page(error)
    error.details = (("What is <wrong>", "<b>"),)
    assert "pre {" in page(error)
    assert "What is <wrong>\n<b>" in Text(page(error)).words


def test_the_reason_is_not_for_the_client() -> None:
    assert "passwd" not in page(HTTPError(403, "/etc/passwd: Permission denied"))


def test_a_name_is_escaped() -> None:
    assert "<script>" not in page(HTTPError(404), "<script>")


def test_without_a_name_nothing_is_said_of_one() -> None:
    assert "request" not in Text(page(HTTPError(403), "")).words


@pytest.mark.parametrize("close", [True, False])
def test_fields_and_the_wish_to_close_are_passed_on(close: bool) -> None:
    error = HTTPError(503, fields=(("Retry-After", "5"),), close=close)
    response = error_response(error, id="")
    assert ("Retry-After", "5") in response.fields
    assert response.close_connection is close
