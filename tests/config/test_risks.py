"""Layouts that work and are one mistake away from harm: each is a warning (O2)."""

from pathlib import Path

import pytest

from tests.config.files import WHOLE
from tests.config.site import SCRIPTS, problems, warnings

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
