"""What only the machine can tell is told before anything starts (O2, M16)."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkhttpd.config.check import check
from forkhttpd.config.load import parse
from forkhttpd.config.source import read
from tests.config.files import LISTEN, WHOLE, write

SOMEBODY = 4711  # a uid that is not root
NOBODY = 65534
SCRIPTS = LISTEN + '[[site]]\n[[site.mount]]\ncgi = "cgi-bin"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with what the configurations here name."""
    for name in ("www", "cgi-bin", "cgi-bin/inner", "empty"):
        (tmp_path / name).mkdir()
    for name, mode in (("file", 0o644), ("program", 0o755), ("cgi-bin/php", 0o755)):
        (tmp_path / name).touch(mode)
    (tmp_path / "link").symlink_to("cgi-bin")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


def problems(site: Path, text: str, *, uid: int = SOMEBODY, allow_root: bool = False) -> list[str]:
    """Return the problems of a configuration in `site`, which is called SITE in them."""
    return _examine(site, text, uid=uid, allow_root=allow_root)[0]


def warnings(site: Path, text: str, *, uid: int = SOMEBODY) -> list[str]:
    """Return the warnings of a configuration in `site`, which is called SITE in them."""
    return _examine(site, text, uid=uid, allow_root=True)[1]


def _examine(site: Path, text: str, *, uid: int, allow_root: bool) -> tuple[list[str], list[str]]:
    source = read(write(site, text))
    report = check(parse(source), source, uid=uid, allow_root=allow_root)
    return _short(site, report.problems), _short(site, report.warnings)


def _short(site: Path, lines: list[str]) -> list[str]:
    prefix = f"{site}/forkhttpd.conf:"
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix).replace(str(site), "SITE") for line in lines]


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
    for directory in (site, *list(site.parents)[:3]):
        directory.chmod(0o755)
    (site / name).chmod(0o600)
    source = read(write(site, text))
    config = parse(source)
    with effective_user(NOBODY):
        report = check(config, source, uid=NOBODY, allow_root=False)
    assert _short(site, report.problems) == [expected]


OR_ALLOWED = "or start with --allow-root (loopback addresses only)"


def test_M16_root_without_a_user_is_refused(site: Path) -> None:
    assert problems(site, WHOLE, uid=0) == [
        f'1: user: missing, and root starts the server; write user = "www-data", {OR_ALLOWED}'
    ]


def test_M16_root_by_name_is_refused_for_the_server_and_for_programs(site: Path) -> None:
    text = 'user = "root"\n' + WHOLE + '[pool.a]\nuser = "root"\n'
    wrong = f'"root" is root; write another user, {OR_ALLOWED}'
    assert problems(site, text, uid=0) == [f"1: user: {wrong}", f"8: [pool.a] user: {wrong}"]


def test_M16_root_by_number_is_refused(site: Path) -> None:
    (problem,) = problems(site, 'user = "0"\n' + WHOLE, uid=0)
    assert problem == f'1: user: "0" is root; write another user, {OR_ALLOWED}'


def test_O7_any_number_is_a_user_and_a_group(site: Path) -> None:
    text = 'user = "123456"\ngroup = "123457"\n' + WHOLE
    assert problems(site, text, uid=0) == []
    assert warnings(site, text, uid=123456) == []


def test_M16_root_with_a_user_is_fine(site: Path) -> None:
    assert problems(site, 'user = "nobody"\n' + WHOLE, uid=0) == []
    assert problems(site, 'user = "nobody"\n' + WHOLE + "[pool.a]\n", uid=0) == []


def test_M16_root_may_be_allowed_but_on_loopback_only(site: Path) -> None:
    assert problems(site, WHOLE, uid=0, allow_root=True) == []
    text = WHOLE + '[[listen]]\naddress = "0.0.0.0:80"\n'
    assert problems(site, text, uid=0, allow_root=True) == [
        (
            "7: [listen] address: 0.0.0.0:80 is open to others, and something here runs as root; "
            'write a loopback address like "127.0.0.1:8000", or a user that is not root'
        )
    ]
    assert problems(site, 'user = "nobody"\n' + text, uid=0, allow_root=True) == []


def test_M16_who_is_not_root_needs_no_user(site: Path) -> None:
    text = WHOLE + '[[listen]]\naddress = "0.0.0.0:80"\n'
    assert problems(site, text) == []


def test_an_account_that_cannot_be_taken_is_a_warning(site: Path) -> None:
    text = 'user = "nobody"\n' + WHOLE + '[pool.a]\nuser = "nobody"\n'
    assert warnings(site, text) == [
        "1: warning: user: not started as root, so the server runs as who starts it",
        "8: warning: [pool.a] user: not started as root, so the programs run as who starts it",
    ]
    assert warnings(site, text, uid=pwd.getpwnam("nobody").pw_uid) == []
    assert warnings(site, text, uid=0) == []


MOUNTS = WHOLE + '[[site.mount]]\npath = "/c"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            WHOLE.replace("www", "."),
            (
                "5: warning: [site.mount] docroot: this configuration file is in SITE, "
                "where everyone can read it; move one of them"
            ),
        ),
        (
            MOUNTS.replace("www", "cgi-bin") + 'cgi = "cgi-bin/inner"\n',
            (
                "8: warning: [site.mount] cgi: SITE/cgi-bin/inner is in SITE/cgi-bin, "
                "so that one mistake shows the programs' source; move it out of there"
            ),
        ),
        (
            MOUNTS.replace("www", "cgi-bin") + 'cgi = "link"\n',
            (
                "8: warning: [site.mount] cgi: SITE/link is in SITE/cgi-bin, "
                "so that one mistake shows the programs' source; move it out of there"
            ),
        ),
        (
            SCRIPTS + 'interpreter = "cgi-bin/php"\n',
            (
                "6: warning: [site.mount] interpreter: SITE/cgi-bin/php is in SITE/cgi-bin, "
                "so that everyone can call it as a script; move it out of there"
            ),
        ),
        (
            SCRIPTS + '[[site.mount]]\npath = "/p"\ncgi = "empty"\ninterpreter = "link/php"\n',
            (
                "9: warning: [site.mount] interpreter: SITE/link/php is in SITE/cgi-bin, "
                "so that everyone can call it as a script; move it out of there"
            ),
        ),
    ],
)
def test_O2_a_risky_layout_is_a_warning(site: Path, text: str, expected: str) -> None:
    assert warnings(site, text) == [expected]
    assert problems(site, text) == []


def test_O2_programs_that_everyone_can_change_are_a_warning(site: Path) -> None:
    (site / "cgi-bin").chmod(0o777)
    assert warnings(site, SCRIPTS) == [
        (
            "5: warning: [site.mount] cgi: everyone on this machine can write to SITE/cgi-bin, "
            "and so run programs here; take the right away: chmod o-w"
        )
    ]


def test_O2_programs_by_suffix_lie_among_files_without_risk(site: Path) -> None:
    text = MOUNTS + 'cgi = "www"\nsuffix = [".php"]\ninterpreter = "/bin/true"\n'
    assert warnings(site, text) == []


def test_O2_neighbours_with_like_names_are_no_risk(site: Path) -> None:
    (site / "www-cgi").mkdir()
    assert warnings(site, MOUNTS + 'cgi = "www-cgi"\n') == []


GUARDED = '[[site.mount]]\npath = "/private/"\ndocroot = "www/inner"\nallow = ["192.0.2.7"]\n'


def test_O2_a_way_around_a_guard_is_a_warning(site: Path) -> None:
    (site / "www/inner").mkdir()
    way = (
        "8: warning: [site.mount] docroot: SITE/www/inner is also shown at /inner/, and not to "
        "the same people; move it out of SITE/www, or guard both alike"
    )
    assert warnings(site, WHOLE + GUARDED) == [way]
    link = GUARDED.replace("www/inner", "way")
    (site / "way").symlink_to("www/inner")
    assert warnings(site, WHOLE + link) == [way.replace("SITE/www/inner is", "SITE/way is")]


@pytest.mark.parametrize(
    "text",
    [
        WHOLE + GUARDED.replace("/private/", "/inner/"),
        WHOLE + GUARDED.replace("/private/", "/inner"),
        WHOLE + 'allow = ["192.0.2.7"]\n' + GUARDED,
        WHOLE + GUARDED.replace("www/inner", "empty"),
        WHOLE.replace("www", "www/inner") + GUARDED.replace("www/inner", "www"),
    ],
)
def test_O2_what_is_guarded_wherever_it_is_shown_is_no_risk(site: Path, text: str) -> None:
    (site / "www/inner").mkdir()
    assert warnings(site, text) == []
