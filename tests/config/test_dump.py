"""What -T prints is the whole configuration, and a configuration again (O2)."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from forkhttpd.config import Config
from forkhttpd.config.dump import dump, spell
from forkhttpd.config.load import load
from forkhttpd.config.places import CHILDREN
from tests.config.files import WHOLE, write

FULL = """
workers = { min = 2, max = 9, shrink = "90s" }
worker_memory = "300M"
control_socket = "run/control"
user = "www-data"
group = "www-data"
pid_file = "run/pid"
server = ""
types = { ".A" = "text/x; y=z" }

[[listen]]
address = "[::1]:0"
backlog = 5
[[listen]]
address = "unix:run.sock"
[[listen]]
address = "systemd:http"

[log]
access = "logs/access"
format = "json"
error = "off"
level = "debug"

[timeouts]
header = "1500ms"
graceful = "0s"
idle = "0.0123456789s"

[limits]
body = 0
header = "1025"

[pool.default]
python = "venv/bin/python"
no_new_privileges = false
[pool."7-slow_.x"]
kill_grace = "1.5h"
umask = "0077"

[[site]]
names = ["a.org", "*.b.org"]
error_pages = { 404 = "404.html", 500 = "/x" }
[[site.mount]]
docroot = "ä \\"www\\"\\u007f"
index = ["a\\tb", "c"]
listing = true
fallback = ["/a b.html", ".html"]
precompressed = true
expires = "36h"
headers = { X-A = "a, \\"b\\"", Cache-control2 = "" }
charset = ""
symlinks = "owner"
[[site.mount]]
path = "/q"
docroot = "q"
precompressed = ["gz", "zst"]
[[site.mount]]
path = "/r"
redirect = "https://r.example/"
status = 308
[[site.mount]]
path = "/s"
show = "status"
[[site.mount]]
path = "/p"
cgi = "x"
suffix = [".a"]
interpreter = "/bin/sh"
env = { A = "\\\\1", B_ = "\\u0001 ü" }
[[site]]
names = ["c.org"]
[[site.mount]]
cgi = "y"
env = {}
background = "leave"
"""


@pytest.mark.parametrize("comments", [False, True])
@pytest.mark.parametrize("text", [WHOLE, FULL], ids=["smallest", "full"])
def test_O2_the_dump_reads_back_from_any_directory(
    tmp_path: Path, text: str, comments: bool
) -> None:
    config = load(write(tmp_path, text))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = load(write(elsewhere, dump(config, comments=comments)))
    assert again == config
    assert dump(again, comments=comments) == dump(config, comments=comments)


def test_O2_the_dump_has_every_key(tmp_path: Path) -> None:
    document = tomllib.loads(dump(load(write(tmp_path, FULL))))
    mounts = document["site"][0]["mount"]
    merged = {
        "Config": document,
        "Listen": document["listen"][0],
        "Tls": document["tls"],
        "Log": document["log"],
        "Timeouts": document["timeouts"],
        "Limits": document["limits"],
        "Pool": document["pool"]["default"],
        "Site": document["site"][0],
        "Mount": {key: value for mount in mounts for key, value in mount.items()},
    }
    tables = {Config, *(table for children in CHILDREN.values() for table in children.values())}
    for table in tables:
        assert {field.name for field in fields(table)} == set(merged[table.__name__])


def test_O2_the_dump_explains_every_key(tmp_path: Path) -> None:
    lines = dump(load(write(tmp_path, FULL)), comments=True).splitlines()
    keys = [line for line in lines if " = " in line]
    assert len(keys) > 70
    assert all("  # " in line for line in keys)


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"])) | st.booleans() | st.integers(-(1 << 63)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("aB1-_. é\"'\\"), inner),
    )
)
def test_any_value_is_spelled_so_that_it_reads_back(value: Any) -> None:
    assert tomllib.loads(f"key = {spell(value)}")["key"] == value


def test_a_dump_is_what_the_schema_dumps(tmp_path: Path) -> None:
    config = load(write(tmp_path, WHOLE))
    document = tomllib.loads(dump(config))
    values = TypeAdapter(Config).dump_python(config, mode="json")
    assert document["timeouts"] == values["timeouts"]
    assert document["pool"] == values["pool"]
