"""Broken configurations, and every line that the operator gets to read about each (O2).

broken.txt has a block for each: a title, a file, and behind "=> " what is said of it.  In the file
the lines LISTEN and SITE stand for the two halves of a right one (`tests.config.files`), and WHOLE
for both; after them the text goes on inside the mount of SITE, which has lines 3 to 5 of WHOLE.
"""

from pathlib import Path

import pytest

from tests.config.files import LISTEN, SITE, problems_of, write

BROKEN = Path(__file__).with_name("broken.txt").read_text("utf-8")


def cases() -> list[object]:
    """Return text and expected problems of each block of BROKEN, by its title."""
    params: list[object] = []
    for block in BROKEN.strip().split("\n\n"):
        title, *lines = block.split("\n")
        expected = [line[3:] for line in lines if line.startswith("=> ")]
        text = "".join(f"{line}\n" for line in lines if not line.startswith("=> "))
        text = text.replace("WHOLE\n", "LISTEN\nSITE\n")
        text = text.replace("LISTEN\n", LISTEN).replace("SITE\n", SITE)
        params.append(pytest.param(text, expected, id=title.removeprefix("# ")))
    return params


@pytest.mark.parametrize(("text", "expected"), cases())
def test_O2_every_problem_has_its_line_and_says_what_would_be_right(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert expected
    assert problems_of(write(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "workers = " + "[" * 5000,
            "lists or tables stand too deep in one another; no key needs that",
        ),
        ("workers = " + "9" * 5000, "a number is too long to be read; write a shorter one"),
    ],
)
def test_O2_a_monstrous_file_is_a_problem_like_any_other(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert problems_of(write(tmp_path, text)) == [f"1: {expected}"]
