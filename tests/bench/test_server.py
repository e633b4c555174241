"""The peers' configurations fit together: every word is known, every file is used."""

import tomllib
from pathlib import Path

import pytest

from forkhttpd.config.tables import Config
from scripts.benchmark.peers import servers
from scripts.benchmark.server import Server, fill_in
from tests.config.files import table

_WORDS = {
    "PORT": "8001",
    "TLSPORT": "8002",
    "CERTIFICATE": "/srv/bench.pem",
    "KEY": "/srv/bench.key",
    "DOCROOT": "/srv/www",
    "CGI": "/srv/cgi-bin",
    "STATE": "/srv/state",
    "USER": "www-data",
    "GROUP": "www-data",
    "CONFIG": "/srv/state/server.conf",
    "PYTHON": "/usr/bin/python3",
}
_configured = [known for known in servers() if known.configuration]


def _configuration(server: Server) -> str:
    assert server.configuration is not None
    return fill_in(server.configuration.read_text(), _WORDS | dict(server.words))


@pytest.mark.parametrize("server", _configured, ids=lambda server: server.name)
def test_every_server_listens_on_loopback_and_logs_into_its_own_directory(server: Server) -> None:
    text = _configuration(server)
    assert "127.0.0.1" in text
    assert "8001" in text
    assert "/srv/state/access.log" in text
    assert "www-data" in text


@pytest.mark.parametrize("server", servers(), ids=lambda server: server.name)
def test_the_words_of_every_command_line_are_known(server: Server) -> None:
    filled = [fill_in(argument, _WORDS) for argument in server.arguments]
    assert not any("@" in argument for argument in filled)


def test_a_word_that_is_not_known_is_an_error() -> None:
    assert fill_in("user@example.org @PORT@", _WORDS) == "user@example.org 8001"
    with pytest.raises(KeyError):
        fill_in("listen @PROT@", _WORDS)


def test_no_configuration_lies_there_unused() -> None:
    used = {known.configuration for known in _configured}
    used |= {known.program for known in servers() if known.program.parent.name == "peers"}
    assert used == set((Path(__file__).parents[2] / "scripts" / "peers").iterdir())


@pytest.mark.parametrize("warm", [False, True])
def test_our_own_configuration_is_valid_and_matches_the_peers(warm: bool) -> None:
    ours = _configuration(_configured[warm])
    config = table(Config, tomllib.loads(ours), directory=Path("/srv"))
    assert config.workers == 2
    assert config.log.format == "combined"
    assert config.pool["default"].warm is warm
    assert [mount.path for mount in config.site[0].mount] == ["/", "/cgi-bin/"]


def test_names_are_unique_and_fit_for_directories() -> None:
    names = [known.name for known in servers()]
    assert len(set(names)) == len(names)
    assert not any("/" in name or " " in name for name in names)


def test_a_server_that_is_not_installed_says_what_brings_it(tmp_path: Path) -> None:
    server = Server(
        name="x",
        package="apt-get install x",
        program=tmp_path / "x",
        arguments=(),
        abilities=frozenset(),
    )
    assert (
        server.missing()
        == f"{tmp_path / 'x'} is not there, or not for us; apt-get install x brings it"
    )
    server.program.touch()
    assert server.missing() is None


def test_a_server_that_cannot_do_what_is_asked_of_it_says_so() -> None:
    server = Server(
        name="x",
        package="another x",
        program=Path("/bin/sh"),
        arguments=(),
        trial=("/bin/sh", "-c", "exit 1"),
        abilities=frozenset(),
    )
    assert server.missing() == "this fails: /bin/sh -c exit 1; another x brings what does not"
