"""Who may come in, as the configuration says it, and what is wrong with saying it so (O2)."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from forkhttpd.config import passwords
from forkhttpd.config.check import check
from forkhttpd.config.load import load, parse
from forkhttpd.config.source import read
from forkhttpd.config.tables import Mount, Site
from tests.config.files import LISTEN, SITE, WHOLE, problems_of, table, write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'allow = ["10.0.0.1/8"]',
            '6: [site.mount] allow: an address inside a network; write "10.0.0.0/8" for the whole',
        ),
        ('allow = ["10.0.0"]', '6: [site.mount] allow: not a network; write one like "10.0.0.0/8"'),
        ("deny = [10]", '6: [site.mount] deny: not a network; write it in quotes, as in "10.0.0.'),
        (
            'allow = ["::1", "10.0.0.0/8"]\ndeny = ["10.0.0.0/8"]',
            '7: [site.mount] deny: "10.0.0.0/8" is allowed as well; remove one of them',
        ),
        (
            'users = ["alice"]',
            "6: [site.mount] users: means nothing without a password, so everybody comes in; write",
        ),
        (
            'password_file = ""\nrealm = "x"',
            "7: [site.mount] realm: means nothing without a password, so everybody comes in; write",
        ),
        (
            'password_file = "x"\nusers = ["a:b"]',
            "7: [site.mount] users: not a name; write one of the file, as in",
        ),
        (
            'password_file = "x"\nrealm = "\\u00e9"',
            "7: [site.mount] realm: not a realm; write up to 200 printable",
        ),
        (
            '[limits]\nfailed_logins = "often"',
            "7: [limits] failed_logins: not a rate; write how many a second, minute or hour, as in",
        ),
        ('[limits]\nfailed_logins = "0/s"', "7: [limits] failed_logins: not a rate"),
    ],
)
def test_O2_what_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    problems = problems_of(write(tmp_path, f"{WHOLE}{text}\n"))
    assert [problem[: len(expected)] for problem in problems] == [expected]


def test_a_listener_for_a_proxy_needs_a_proxy_that_is_trusted(tmp_path: Path) -> None:
    text = f"{LISTEN}proxy_protocol = true\n{SITE}"
    (problem,) = problems_of(write(tmp_path, text))
    assert problem.startswith("3: [listen] proxy_protocol: nobody is trusted to say who the client")
    assert problems_of(write(tmp_path, f'trusted_proxies = ["unix"]\n{text}')) == []


def test_all_is_every_network(tmp_path: Path) -> None:
    file = write(tmp_path, f'{WHOLE}allow = ["all", "unix"]\n')
    (mount,) = load(file).site[0].mount
    assert [str(network) for network in mount.allow] == ["0.0.0.0/0", "::/0", "unix"]


@pytest.mark.parametrize(
    ("of_site", "of_mount", "file"),
    [
        ("", "site", None),
        ("/a", "site", Path("/a")),
        ("/a", "", None),
        ("/a", "/b", Path("/b")),
        ("", "/b", Path("/b")),
    ],
)
def test_a_mount_has_its_sites_password_unless_it_says_otherwise(
    of_site: str, of_mount: str, file: Path | None
) -> None:
    mount = table(Mount, {"docroot": "/", "password_file": of_mount})
    site = replace(
        table(Site, {"mount": [{"docroot": "/"}], "password_file": of_site}), mount=(mount,)
    )
    assert site.password_file_of(mount) == file


def examine(directory: Path, text: str) -> tuple[list[str], list[str]]:
    """Return problems and warnings, in the words after the key."""
    (directory / "www").mkdir(exist_ok=True)
    source = read(write(directory, text))
    report = check(parse(source), source, uid=4711, allow_root=False)
    found = [
        [line.partition("password_file: ")[2].replace(str(directory), "DIR") for line in lines]
        for lines in (report.problems, report.warnings)
    ]
    return found[0], found[1]


def test_O2_a_password_file_is_there_and_kept_from_others(tmp_path: Path) -> None:
    text = f'{WHOLE}password_file = "passwords"\n'
    make = "DIR/passwords: No such file or directory; make it: htpasswd -cB DIR/passwords NAME"
    assert examine(tmp_path, text) == ([make], [])
    (tmp_path / "passwords").touch()
    assert examine(tmp_path, text) == ([], [])
    public = text.replace("127.0.0.1", "0.0.0.0")
    risk = "0.0.0.0:8000 is no https and open to others, who can read the passwords"
    assert examine(tmp_path, public)[1] == [
        f"{risk}; write tls = true there, or a loopback address"
    ]
    (tmp_path / "www/passwords").touch()
    exposed = text.replace('"passwords"', '"www/passwords"')
    assert examine(tmp_path, exposed)[1] == [
        "DIR/www/passwords is in DIR/www, where everyone can read it; move it"
    ]


def test_O6_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passwords").touch()
    monkeypatch.setattr(passwords, "_PACKAGES", {"not_to_be_found": "libpass", "os": "bcrypt"})
    problems, _ = examine(tmp_path, f'{WHOLE}password_file = "passwords"\n')
    needs = "passwords need what is not installed: libpass"
    assert problems == [f"{needs}; run: {sys.executable} -m pip install 'forkhttpd[auth]'"]
    assert examine(tmp_path, WHOLE) == ([], [])
