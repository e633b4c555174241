"""What only the machine can tell is told before anything starts (O2, M16)."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.config.check import check
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from tests.config.files import WHOLE, write
from tests.config.site import SCRIPTS, problems, short, warnings

NOBODY = 65534


@contextlib.contextmanager
def effective_user(uid: int) -> Iterator[None]:
    """Be somebody else, who may not do everything as root may."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def test_O2_a_right_configuration_has_nothing_to_tell(site: Path) -> None:
    assert problems(site, WHOLE) == warnings(site, WHOLE) == []
    assert problems(site, SCRIPTS) == warnings(site, SCRIPTS) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            WHOLE.replace("www", "none"),
            (
                "5: [site.mount] docroot: SITE/none: No such file or directory; "
                "make this directory, or write another"
            ),
        ),
        (
            WHOLE.replace("www", "file"),
            (
                "5: [site.mount] docroot: SITE/file is no directory; "
                "write the directory that the files are in"
            ),
        ),
        (
            WHOLE.replace("www", "loop"),
            (
                "5: [site.mount] docroot: SITE/loop: Too many levels of symbolic links; "
                "make this directory, or write another"
            ),
        ),
        (
            SCRIPTS.replace("cgi-bin", "none"),
            (
                "5: [site.mount] cgi: SITE/none: No such file or directory; "
                "make it, or write another directory or program"
            ),
        ),
        (
            SCRIPTS.replace("cgi-bin", "file"),
            "5: [site.mount] cgi: SITE/file is not executable; make it so: chmod a+x",
        ),
        (
            SCRIPTS.replace("cgi-bin", "program") + 'suffix = [".a"]\n',
            (
                "6: [site.mount] suffix: SITE/program is one program; "
                "suffixes are for a directory of them"
            ),
        ),
        (
            SCRIPTS + 'interpreter = "none"\n',
            (
                "6: [site.mount] interpreter: SITE/none: No such file or directory; "
                "install it, or write where it is"
            ),
        ),
        (
            SCRIPTS + 'interpreters = { ".py" = "none" }\n',
            (
                '6: [site.mount] interpreters.".py": SITE/none: No such file or directory; '
                "install it, or write where it is"
            ),
        ),
        (
            SCRIPTS + 'interpreter = "www"\n',
            "6: [site.mount] interpreter: SITE/www is no file; write the path of a program",
        ),
        (
            SCRIPTS + 'interpreter = "file"\n',
            "6: [site.mount] interpreter: SITE/file is not executable; make it so: chmod a+x",
        ),
        (
            WHOLE + '[pool.default]\npython = "python9"\n',
            (
                '7: [pool.default] python: there is no program "python9" in '
                "/usr/local/bin:/usr/bin:/bin; install Python 3.9 or newer, or write where"
            ),
        ),
        (
            WHOLE + '[pool.default]\npython = "./file"\n',
            (
                '7: [pool.default] python: there is no program "SITE/file"; '
                "install Python 3.9 or newer, or write where"
            ),
        ),
        (
            WHOLE + '[pool.default]\nsearch_path = "SITE/empty"\n',
            (
                '6: [pool.default] python: there is no program "python3" in SITE/empty; '
                "install Python 3.9 or newer, or write where"
            ),
        ),
        (
            'user = "nobodyy"\n' + WHOLE,
            '1: user: there is no user "nobodyy" on this machine; did you mean "nobody"?',
        ),
        (
            'group = "@@@"\n' + WHOLE,
            (
                '1: group: there is no group "@@@" on this machine; '
                "make one, or write the name of another"
            ),
        ),
        (
            WHOLE + '[pool.a]\nuser = "@@@"\n',
            (
                '7: [pool.a] user: there is no user "@@@" on this machine; '
                "make one, or write the name of another"
            ),
        ),
        (
            'user = "4294967295"\n' + WHOLE,
            (
                '1: user: there is no user "4294967295" on this machine; '
                "make one, or write the name of another"
            ),
        ),
        (
            'pid_file = "none/pid"\n' + WHOLE,
            (
                "1: pid_file: SITE/none: No such file or directory; "
                "make this directory, or write another"
            ),
        ),
        (
            'pid_file = "empty"\n' + WHOLE,
            "1: pid_file: SITE/empty is a directory; write the path of a file",
        ),
        (
            WHOLE + '[log]\naccess = "none/log"\n',
            (
                "7: [log] access: SITE/none: No such file or directory; "
                "make this directory, or write another"
            ),
        ),
        (
            WHOLE + '[log]\nerror = "file/log"\n',
            "7: [log] error: SITE/file is no directory; write the path of a file in one",
        ),
        (
            WHOLE + '[[listen]]\naddress = "unix:none/x.sock"\n',
            (
                "7: [listen] address: SITE/none: No such file or directory; "
                "make this directory, or write another"
            ),
        ),
    ],
)
def test_O2_what_the_machine_lacks_is_told_by_line(site: Path, text: str, expected: str) -> None:
    assert problems(site, text.replace("SITE", str(site))) == [expected]


def test_O2_everything_is_told_at_once_and_in_order(site: Path) -> None:
    text = 'pid_file = "none/pid"\n' + WHOLE.replace("www", "none") + '[log]\nerror = "none/e"\n'
    assert [line[:2] for line in problems(site, text)] == ["1:", "6:", "8:"]


@needs_root
@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "www",
            WHOLE,
            "5: [site.mount] docroot: SITE/www: Permission denied; let us read it: chmod a+rx",
        ),
        (
            "cgi-bin",
            SCRIPTS,
            "5: [site.mount] cgi: SITE/cgi-bin: Permission denied; let us enter it: chmod a+x",
        ),
        (
            "file",
            WHOLE + '[log]\nerror = "file.log"\n',
            "7: [log] error: SITE: Permission denied; let us write there, or write another",
        ),
        (
            "file",
            WHOLE + '[log]\nerror = "./file"\n',
            "7: [log] error: SITE/file: Permission denied; let us write it, or write another",
        ),
    ],
)
def test_O2_what_we_may_not_touch_is_told_by_line(
    site: Path, name: str, text: str, expected: str
) -> None:
    for directory in (site, *site.parents):
        if directory == site or directory.name.startswith(("pytest-", "popen-")):  # never /tmp
            directory.chmod(0o755)
    (site / name).chmod(0o600)
    source = read(write(site, text))
    config = parse(source)
    with effective_user(NOBODY):
        report = check(config, source, uid=NOBODY, allow_root=False)
    assert short(site, report.problems) == [expected]
