"""What those hear who ask the same of the verifier at the same time."""

import logging
import os
import socket

import pytest

from forkhttpd import channel
from forkhttpd.access.credentials import Credentials
from forkhttpd.http1.errors import HTTPError
from forkhttpd.loop import Loop
from forkhttpd.worker import verifier
from forkhttpd.worker.desk import Desk
from forkhttpd.worker.verifier import Answer, Question, Verdict
from tests.worker.making import PATIENCE

FILE = "/etc/passwords"
SAID = Credentials(b"alice", b"word")


def ask_together(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> tuple[list[object], int]:
    """Have three ask the same; return what each has heard, and how often the verifier was asked."""
    near, far = channel.pair()
    far.setblocking(False)
    pid = os.posix_spawnp("sleep", ["sleep", str(PATIENCE)], os.environ)
    monkeypatch.setattr(verifier, "fork", lambda *_args, **_options: (pid, near))
    failures: list[Exception] = []
    loop = Loop(report=failures.append)
    desk = Desk(loop, known={}, log=logging.getLogger("desk"), error_log=2)
    desk.start()
    heard: list[object] = []

    async def ask() -> None:
        try:
            heard.append(await desk.verify(FILE, SAID, asker="asker", room=9))
        except HTTPError as error:
            heard.append((error.status, error.reason))

    tasks = [loop.spawn(ask()) for _ in range(3)]
    loop.turn(0.0)
    questions = questions_in(far)
    for question in questions:
        channel.send(far, answer._replace(id=question.id).encode())
    while not all(task.ended for task in tasks):
        loop.turn(PATIENCE)
    far.close()
    while loop.tasks:
        loop.turn(PATIENCE)
    assert failures == []
    return heard, len(questions)


def questions_in(far: socket.socket) -> list[Question]:
    questions = []
    while True:
        try:
            questions.append(Question.decode(channel.receive(far)[0]))
        except BlockingIOError:
            return questions


def test_who_asks_the_same_shares_the_answer_and_its_words_are_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Answer(0, Verdict.RIGHT, "line 2: no hash")
    assert ask_together(monkeypatch, answer) == ([Verdict.RIGHT] * 3, 1)
    assert caplog.text.count("line 2: no hash") == 1


def test_why_a_file_cannot_be_read_is_said_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, asked = ask_together(monkeypatch, Answer(0, Verdict.FAILED, "Permission denied"))
    assert heard == [(500, f"{FILE}: Permission denied")] * 3
    assert asked == 1
