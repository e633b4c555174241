"""The site's programs answer as the site says, and files that differ are many."""

import os
import subprocess
from pathlib import Path

import pytest

from scripts.benchmark.case import CASES
from scripts.benchmark.probe import right_body
from scripts.benchmark.site import ABSENT, LARGE, MANY, MANY_COUNT, Site, make_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("bench-site"))


_PROGRAM_PATHS = sorted({case.path for case in CASES if case.path.startswith("/cgi-bin/")})


@pytest.mark.parametrize("path", _PROGRAM_PATHS)
def test_a_program_says_how_long_its_answer_is_and_answers_so(site: Site, path: str) -> None:
    if path in site.lacking:
        pytest.skip(site.lacking[path])
    name, _, query = path.removeprefix("/cgi-bin/").partition("?")
    done = subprocess.run(
        [site.cgi / name],
        env={"QUERY_STRING": query, "PATH": os.defpath},
        check=True,
        capture_output=True,
    )
    head, _, body = done.stdout.replace(b"\r\n", b"\n").partition(b"\n\n")
    assert body == site.bodies[path]
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\n")


def test_programs_are_found_below_the_files_too(site: Site) -> None:
    assert (site.docroot / "cgi-bin").resolve() == site.cgi.resolve()


def test_no_two_of_the_many_files_are_alike(site: Site) -> None:
    bodies = {site.bodies[MANY.format(number)] for number in range(MANY_COUNT)}
    assert len(bodies) == MANY_COUNT


def test_every_path_of_a_case_has_an_answer_or_a_reason_but_the_absent_one(site: Site) -> None:
    for case in CASES:
        known = case.path in site.bodies or case.path in site.lacking
        assert known is (case.path != ABSENT)


def test_the_right_body_is_the_piece_that_was_asked_for(site: Site) -> None:
    bodies = {case.name: right_body(case, site) for case in CASES}
    assert bodies["304"] == b""
    assert bodies["404"] is None
    piece = bodies["range"]
    assert piece is not None
    assert len(piece) == 1 << 20
    assert site.bodies[LARGE].find(piece) == 4 << 20
    assert bodies["1k"] == (site.docroot / "1k.txt").read_bytes()


def test_what_the_compiled_program_is_made_from_is_there() -> None:
    programs = Path(make_site.__code__.co_filename).with_name("programs")
    assert {path.name for path in programs.iterdir()} >= {"tiny.c", "hello.sh", "form.py"}
