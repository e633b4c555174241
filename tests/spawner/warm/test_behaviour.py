"""C17: what scripts do, run by exec and in a fork of a warm spawner, comes to the same."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.spawner.driver import Driver
from tests.spawner.warm.scripts import Scripts
from tests.spawner.worker import Worker, wait_until

# Tells whether it runs in a fork: there is a frame below the script's.  In every script's line 2.
TELL = (
    "import sys; __name__ == '__main__' and "
    "open('forked', 'a').write(repr(sys._getframe().f_back is not None)); del sys\n"
)


def read(text: str) -> dict[str, str]:
    """Return the scripts of behaviour.txt by name."""
    _, *sections = text.split("\n### ")
    return {name: script for name, _, script in (part.partition("\n") for part in sections)}


BEHAVIOUR = read(Path(__file__).with_name("behaviour.txt").read_text())
COLD = {"does not compile", "does not decode"}
LEFT = ("forked", "left", "cycle", "name")  # files that scripts make
BESIDE = {
    "beside.py": "NAME = 'beside'\ndef fail(): raise LookupError('beside')\n"
    "class Gone:\n def __del__(self): print('gone', NAME)\n",
    "failing.py": "import json\n\n1 / 0\n",
    "wrong.py": "def f(:\n",
    "colorsys.py": "",
    "decimal.py": "class Decimal: pass\n",
    "lib/queue.py": "",
}


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    errors: str
    files: dict[str, str]


@contextmanager
def pools(scripts: Scripts) -> Iterator[tuple[Driver, Driver]]:
    with ExitStack() as stack:
        cold = stack.enter_context(Driver(scripts.interpreter, warm=False))
        warm = stack.enter_context(Driver(scripts.interpreter, warm=True))
        yield cold, warm


def test_C17_what_scripts_do_comes_to_the_same(scripts: Scripts) -> None:
    for name, text in BESIDE.items():
        (scripts.directory / name).parent.mkdir(exist_ok=True)
        (scripts.directory / name).write_text(text)
    everything = [prepare(scripts, number, *case) for number, case in enumerate(BEHAVIOUR.items())]
    failures = []
    with pools(scripts) as (cold, warm):
        scripts.wait_until_all_are_kept(warm.worker(), everything, warm)
        wanted, found = cold.worker(), warm.worker()
        for (name, _), script in zip(BEHAVIOUR.items(), everything, strict=True):
            exec_, fork = outcome(scripts, wanted, script), outcome(scripts, found, script)
            assert not exec_.files.pop("forked", "").startswith("True"), name
            if fork.files.pop("forked", "").startswith("True") == (name in COLD):
                failures.append(f"{name}: not run as it should be\n")
            if exec_ != fork:
                failures.append(f"{name}:\n  exec {exec_}\n  fork {fork}\n")
        wait_until(lambda: not warm.children(), "no zombies")
        assert not [line for line in warm.log().splitlines() if "bug" in line]
    assert not failures, "\n".join(failures)


def prepare(scripts: Scripts, number: int, name: str, text: str) -> Path:
    return scripts.add(
        f"{number}.py" if name != "imports itself" else "script.py", TELL + text + "\n"
    )


def outcome(scripts: Scripts, worker: Worker, script: Path) -> Outcome:
    for name in LEFT:
        (scripts.directory / name).unlink(missing_ok=True)
    run = scripts.run(worker, script, stdin=b"first\r\nsecond\nlast", env=(b"A=1",))
    files = {}
    for name in LEFT:
        path = scripts.directory / name
        if path.exists():
            text = path.read_text()
            files[name] = str(Path(text).exists()) if name == "name" else text
    return Outcome(run.code, tidy(run.output, run.pid), tidy(run.errors, run.pid), files)


def tidy(text: bytearray, pid: int) -> str:
    """Take out what differs between any two runs, and the listed differences (see life.py)."""
    known = re.sub(rb" \(consider renaming .*\)", b"", bytes(text))
    known = re.sub(rb'  File "<forkhttpd.spawner.ending>".*\n', b"", known)
    known = re.sub(rb"(in __del__\n)    .*\n(?:  +[~^]+\n)?", rb"\1", known)
    known = re.sub(rb"0x[0-9a-f]{6,}|\b%d\b|Thread-\d+" % pid, b"~", known)
    return known.decode("latin-1")


@pytest.mark.parametrize("warm", [False, True])
def test_C17_nothing_is_remembered_and_chance_is_not_repeated(scripts: Scripts, warm: bool) -> None:
    script = scripts.add(
        "chance.py",
        "import json, random, secrets, string, tempfile, uuid, os, ssl, hashlib\n"
        "assert not hasattr(json, 'visited') and 'visited' not in os.environ\n"
        "json.visited = string.visited = 1; os.environ['visited'] = '1'\n"
        "print(random.random(), random.Random().random(), random.SystemRandom().random(),"
        " os.urandom(4), secrets.token_hex(), uuid.uuid4(), uuid.uuid1(),"
        " next(tempfile._get_candidate_names()), ssl.RAND_bytes(8), tempfile.mktemp(), sep='\\n')\n"
        "random.seed(1)\n",
    )
    with Driver(scripts.interpreter, warm=warm) as driver:
        worker = driver.worker()
        scripts.wait_until_kept(worker, script, driver)
        seen: set[bytes] = set()
        for _ in range(5):
            run = scripts.run(worker, script)
            lines = bytes(run.output).splitlines()
            assert (run.code, len(lines)) == (0, 10), run.errors
            assert not seen.intersection(lines)
            seen.update(lines)
