"""A corpus of spellings that try to leave a docroot, and a docroot that it could be left from.

It is every combination of a way to write "..", a way to write "/", a place to start from and a file
to reach.
"""

import itertools
from pathlib import Path

DOTS = (
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "%e0%80%ae.",
    "..;",
    "...",
    "..%00",
    "%u002e%u002e",
    "..%20",
)
SLASHES = ("/", "//", "%2f", "%2F", "%252f", "\\", "%5c", "%c0%af", "/./", "/;/")
STARTS = ("/", "//", "/dir/", "/dir/link/", "/cgi-bin/", "/%2e/", "/missing/", "http://localhost/")
GOALS = ("outside/secret.txt", "etc/passwd")
DEPTHS = (1, 2, 3, 12)

CORPUS = sorted(
    start + (dots + slash) * depth + goal.replace("/", slash)
    for dots, slash, start, goal, depth in itertools.product(DOTS, SLASHES, STARTS, GOALS, DEPTHS)
)

FORBIDDEN = (b"SECRET", b"root:")


def make_site(root: Path) -> None:
    """Fill a docroot with directories to go down before going up, and links that lead out."""
    (root / "dir/inner").mkdir(parents=True)
    (root / "cgi-bin").mkdir()
    (root / "dir/link").symlink_to("inner")
    (root / "index.html").write_text("index")
    (root / "out").symlink_to("..")
    (root / "top").symlink_to("/")
    (root / "dir/secret").symlink_to("../../outside/secret.txt")
