"""Who runs what: root, users by name and by number (M16, O7)."""

import pwd
from pathlib import Path

from tests.config.files import WHOLE
from tests.config.site import problems, warnings

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
