"""README.md's form in Python, filled in by a person with a browser and by a program (C18)."""

import json
import os
import pwd
from collections.abc import Iterator

import pytest

from tests.browser.webdriver import Browser
from tests.live.daemon import Daemon, daemon
from tests.programs.curl import curl
from tests.programs.manual import changed, example, with_mounts

TITLE = "A form in Python"
NAME = 'Zoë "Ümit" <b>&amp; O\'Neil</b>'


@pytest.fixture(scope="module")
def forms() -> Iterator[Daemon]:
    """A daemon with README's example, which is warm; its user writes next to its scripts."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with daemon(start=False) as running:
        here = {
            'user = "forms"': f'user = "{user.pw_name}"',
            "/srv/forms": f"{running.directory}/forms",
        }
        running.configure(with_mounts(changed(example(TITLE, "toml"), **here)))
        running.write("forms/bin/message.py", example(TITLE, "python"), mode=0o755)
        if os.geteuid() == 0:
            os.chown(running.directory / "forms", user.pw_uid, user.pw_gid)
        running.start()
        yield running


def messages(running: Daemon) -> list[dict[str, str]]:
    """Return what has been sent."""
    text = (running.directory / "forms" / "messages.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_C18_form_in_a_browser(forms: Daemon, visitor: Browser) -> None:
    visitor.open(f"http://127.0.0.1:{forms.port}/forms/message.py")
    assert visitor.title == "Write to us"
    visitor.type("input[name=name]", NAME)
    visitor.type("textarea[name=text]", "Two\nlines")
    visitor.click("button")
    assert visitor.text("body > p") == f"Thank you, {NAME}."
    assert messages(forms)[-1] == {"name": NAME, "text": "Two\r\nlines"}


def test_C18_form_by_a_program(forms: Daemon) -> None:
    url = f"http://127.0.0.1:{forms.port}/forms/message.py"
    reply = curl(url, "--data-urlencode", f"name={NAME}", "-d", "text=hello")
    assert reply.fields["content-type"] == "text/html; charset=utf-8"
    assert "Thank you, Zoë &quot;Ümit&quot; &lt;b&gt;" in reply.text
    assert messages(forms)[-1] == {"name": NAME, "text": "hello"}
