"""A file becomes a Config or a list of all that is wrong with it, in words for people (O2)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.config import Address, Pool, WorkerRange
from forkhttpd.config.dump import spell
from forkhttpd.config.load import load
from forkhttpd.errors import ConfigError, ExitCode
from tests.config.files import LISTEN, SITE, WHOLE, problems_of, write

# What stands in place of a value when somebody errs.
MISTAKES: list[Any] = [
    0,
    -1,
    1 << 70,
    2.5,
    True,
    "",
    "x",
    "\0",
    "30s",
    [],
    [[]],
    ["x"],
    {},
    {"x": 1},
]


@given(data=st.data())
def test_O2_any_wrong_value_is_told_by_file_line_and_key(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands in the place of a value: it is right, or every problem has its line."""
    document = tomllib.loads(WHOLE)
    table, key = data.draw(st.sampled_from(_places(document)), label="place")
    table[key] = data.draw(st.sampled_from(MISTAKES), label="value")
    text = "".join(f"{name} = {spell(value)}\n" for name, value in document.items())
    for problem in problems_of(write(tmp_path_factory.getbasetemp(), text)):
        line, _, words = problem.partition(": ")
        assert 1 <= int(line) <= text.count("\n")
        assert not {"Input", "Value", "Tuple", "Field"} & set(words.split()), words


def _places(document: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Return every place of a document that holds, or could hold, a value."""
    mount = document["site"][0]["mount"][0]
    return [
        *((document, key) for key in ("workers", "server", "pid_file", "listen", "site")),
        *((document, key) for key in ("log", "timeouts", "limits", "pool", "unknown")),
        *((document["listen"], 0), (document["site"], 0), (document["site"][0]["mount"], 0)),
        *((document["listen"][0], key) for key in ("address", "backlog", "unknown")),
        *((document["site"][0], key) for key in ("names", "mount", "unknown")),
        *((mount, key) for key in ("path", "docroot", "index", "listing", "cgi", "suffix", "env")),
        *((mount, key) for key in ("interpreter", "pool", "background", "total", "unknown")),
    ]


def test_the_smallest_file_has_all_the_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path, WHOLE))
    assert config.listen[0].address == Address("inet", "127.0.0.1", 8000)
    assert config.site[0].mount[0].docroot == tmp_path / "www"
    assert config.pool == {"default": Pool()}
    assert (config.workers, config.timeouts.header, config.limits.body) == ("auto", 20.0, 1 << 30)


def test_relative_paths_start_at_the_files_directory(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    text = (
        'pid_file = "../run/pid"\n' + WHOLE + "[log]\n"
        'access = "logs/access"\nerror = "/var/log/e"\n'
        '[pool.default]\npython = "venv/bin/python"\n'
        '[[listen]]\naddress = "unix:run.sock"\n'
    )
    config = load(write(tmp_path / "etc", text))
    assert config.pid_file == tmp_path / "etc/../run/pid"
    assert config.log.access == tmp_path / "etc/logs/access"
    assert config.log.error == Path("/var/log/e")
    assert config.pool["default"].python == str(tmp_path / "etc/venv/bin/python")
    assert config.listen[1].address == Address("unix", str(tmp_path / "etc/run.sock"))


@pytest.mark.parametrize("word", ["stdout", "stderr", "off"])
def test_the_words_of_a_log_stay_words(tmp_path: Path, word: str) -> None:
    config = load(write(tmp_path, WHOLE + f'[log]\naccess = "{word}"\nerror = "{word}"\n'))
    assert (config.log.access, config.log.error) == (word, word)


def test_the_default_pool_is_there_when_the_file_names_others(tmp_path: Path) -> None:
    config = load(write(tmp_path, WHOLE + "[pool.slow]\nprocesses = 2\n"))
    assert config.pool == {"default": Pool(), "slow": Pool(processes=2)}


def test_host_names_are_lower_case(tmp_path: Path) -> None:
    text = LISTEN + SITE.replace("[[site]]\n", '[[site]]\nnames = ["A.Org", "*.B.org", "[::1]"]\n')
    assert load(write(tmp_path, text)).site[0].names == ("a.org", "*.b.org", "[::1]")


@pytest.mark.parametrize(
    "pair",
    [
        ("127.0.0.1:0", "127.0.0.2:0"),
        ("127.0.0.1:0", "0.0.0.0:0"),
        ("127.0.0.1:80", "127.0.0.2:80"),
        ("127.0.0.1:80", "127.0.0.1:81"),
        ("0.0.0.0:80", "[::]:80"),
        ("unix:a", "unix:b"),
    ],
)
def test_listeners_that_the_kernel_keeps_apart(tmp_path: Path, pair: tuple[str, str]) -> None:
    listeners = "".join(f'[[listen]]\naddress = "{address}"\n' for address in pair)
    assert len(load(write(tmp_path, listeners + SITE)).listen) == 2


def test_mounts_of_one_path_are_told_apart_by_suffix(tmp_path: Path) -> None:
    text = WHOLE + '[[site.mount]]\ncgi = "a"\nsuffix = [".a"]\n'
    assert len(load(write(tmp_path, text)).site[0].mount) == 2


def test_a_config_is_frozen(tmp_path: Path) -> None:
    config: Any = load(write(tmp_path, WHOLE))
    with pytest.raises(AttributeError):
        config.workers = 3


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_O2_files_of_other_editors_have_the_same_lines(
    tmp_path: Path, mark: str, newline: str
) -> None:
    file = tmp_path / "forkhttpd.conf"
    file.write_bytes((mark + (WHOLE + "listing = 1\n").replace("\n", newline)).encode())
    assert [problem[:2] for problem in problems_of(file)] == ["6:"]


def test_O2_what_is_no_text_is_told_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "forkhttpd.conf"
    file.write_bytes(WHOLE.encode() + 'path = "/gr\xfc\xdfe"\n'.encode("latin-1"))
    assert problems_of(file) == ["6: byte 0xfc is not UTF-8; save the file as UTF-8"]


def test_O2_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    for file, why in [
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(file)
        assert caught.value.problems == [f"{file}: cannot read it: {why}"]
        assert caught.value.exit_code is ExitCode.CONFIG


def test_O1_what_would_break_a_line_of_ours_is_escaped(tmp_path: Path) -> None:
    (problem,) = problems_of(write(tmp_path, WHOLE + '"a\\nb\\u001b" = 1\n'))
    assert problem.startswith(
        '6: [site.mount] "a\\x0ab\\x1b": unknown key; known here: path, docroot'
    )


def test_every_mount_knows_its_place(tmp_path: Path) -> None:
    config = load(write(tmp_path, WHOLE + '[[site.mount]]\npath = "/a"\ncgi = "a"\n'))
    assert [(position, mount.path) for position, mount in config.mounts()] == [
        (("site", 0, "mount", 0), "/"),
        (("site", 0, "mount", 1), "/a"),
    ]


@pytest.mark.parametrize(
    ("text", "workers"),
    [
        ("3", 3),
        ('"auto"', "auto"),
        ("{ min = 1, max = 8 }", WorkerRange(1, 8, 60.0)),
        ('{ min = 2, max = 2, shrink = "5m" }', WorkerRange(2, 2, 300.0)),
    ],
)
def test_M19_workers_are_a_number_or_auto_or_a_range(
    tmp_path: Path, text: str, workers: object
) -> None:
    assert load(write(tmp_path, f"workers = {text}\n" + WHOLE)).workers == workers


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("", None),
        ('pid_file = "run/x.pid"\n', "run/x.control"),
        ('pid_file = "run/x.pid"\ncontrol_socket = "auto"\n', "run/x.control"),
        ('pid_file = "run/x.pid"\ncontrol_socket = "c"\n', "c"),
        ('pid_file = "run/x.pid"\ncontrol_socket = ""\n', None),
        ('control_socket = "c"\n', "c"),
    ],
)
def test_O3_the_control_socket_is_beside_the_PID_file_unless_told(
    tmp_path: Path, lines: str, path: str | None
) -> None:
    config = load(write(tmp_path, lines + WHOLE))
    assert config.control_path == (tmp_path / path if path else None)


def test_a_file_that_is_much_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(1 << 40)
    for path in (large, Path("/dev/zero")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        wrong = "more than 4 MiB, so this is no configuration; name another file"
        assert caught.value.problems == [f"{path}: {wrong}"]
