"""What the verifier answers, without its process."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access import htpasswd
from forkhttpd.worker.verifier import Answer, Files, Question, Verdict

KNOWN = htpasswd.load_verifiers()
SECRET = "abGZIgVyRL4wQ"  # DES-crypt of this:
PASSWORD = "s\xe9cret word".encode()
OTHER = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="  # of "password"


def ask(files: Files, path: Path, user: str, password: bytes) -> Answer:
    return files.answer(Question(7, os.fsencode(path), user.encode(), password))


def verdict(files: Files, path: Path, user: str, password: bytes) -> Verdict:
    answer = ask(files, path, user, password)
    assert (answer.id, answer.words) == (7, "")
    return answer.verdict


def test_right_and_wrong(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"alice:{SECRET}\nbob:{OTHER}\n")
    files = Files(KNOWN)
    assert verdict(files, path, "alice", PASSWORD) is Verdict.RIGHT
    assert verdict(files, path, "bob", b"password") is Verdict.RIGHT
    assert verdict(files, path, "alice", b"password") is Verdict.WRONG
    assert verdict(files, path, "carol", PASSWORD) is Verdict.WRONG  # the stand-in's password
    assert verdict(files, path, "alice", b"") is Verdict.WRONG
    assert verdict(files, path, "alice", b"nul\0") is Verdict.WRONG


def test_an_unknown_name_costs_what_names_of_the_file_cost(tmp_path: Path) -> None:
    """Each is compared once, an unknown one to the same hash each time, by any verifier."""
    path = tmp_path / "passwords"
    dear = "$2y$10$abcdefghijklmnopqrstuukCNRe6jFwG747jDXnMFtZ2AQzoSsWvO"
    path.write_text(f"alice:{SECRET}\nbob:{OTHER}\ncarol:{dear}\n")
    compared: list[bytes] = []

    def compare(_password: bytes, hashed: bytes) -> bool:
        compared.append(hashed)
        return True

    known = dict.fromkeys(KNOWN, compare)
    assert verdict(Files(known), path, "carol", b"x") is Verdict.RIGHT
    assert compared.pop() == dear.encode()
    names = [f"nobody{number}" for number in range(30)]
    for files in (Files(known), Files(known)):
        assert {verdict(files, path, name, b"x") for name in names} == {Verdict.WRONG}
    assert compared[:30] == compared[30:]
    assert set(compared) == {SECRET.encode(), OTHER.encode(), dear.encode()}


def test_the_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"alice:{SECRET}\n")
    files = Files(KNOWN)
    assert verdict(files, path, "alice", PASSWORD) is Verdict.RIGHT
    before = path.stat()
    path.write_text(f"alice:{OTHER}\n"[: before.st_size].ljust(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verdict(files, path, "alice", PASSWORD) is Verdict.WRONG
    path.unlink()
    assert ask(files, path, "alice", PASSWORD).verdict is Verdict.FAILED
    path.write_text(f"bob:{SECRET}\n")
    assert verdict(files, path, "bob", PASSWORD) is Verdict.RIGHT
    assert verdict(files, path, "alice", PASSWORD) is Verdict.WRONG


def test_what_is_wrong_with_a_file_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"alice:{SECRET}\nbob:plain\n")
    files = Files(KNOWN)
    assert "line 2" in ask(files, path, "alice", PASSWORD).words
    assert verdict(files, path, "alice", PASSWORD) is Verdict.RIGHT
    assert verdict(files, path, "bob", b"plain") is Verdict.WRONG


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo"])
def test_a_file_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "passwords"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    answer = ask(Files(KNOWN), path, "alice", PASSWORD)
    assert answer.verdict is Verdict.FAILED
    assert answer.words


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text("")
    assert verdict(Files(KNOWN), path, "", b"") is Verdict.WRONG


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_questions_and_answers_arrive_as_they_were(file: bytes, user: bytes, word: bytes) -> None:
    question = Question(1 << 40, file, user, word)
    assert Question.decode(question.encode()) == question
    answer = Answer(3, Verdict.FAILED, word.decode("latin-1"))
    assert Answer.decode(answer.encode()) == answer
