"""C17: what a script can tell, run by exec and in a fork of a warm spawner.

`everything.script` tells it.  Each difference is in the list below, with its reason; one that is
not there fails, and so does one that is there and no longer found.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.spawner.driver import Driver
from tests.spawner.warm.scripts import Scripts

SOURCE = Path(__file__).with_name("everything.script").read_text()

# What is told → why it is different.  A key is the beginning of "what / item".
DIFFERENCES = {
    "frames": "one frame more: something has to run the script",
    "frozen": "what the spawner holds is off the collector",
    "proc cmdline tail": "the place where /proc shows a command is larger than the command",
    "meta_path": "the finder that hands out modules that are imported ahead is the first",
    "attributes of modules / _frozen_importlib": "the import system notes its file when importlib"
    " is imported, which the spawner does",
    "origins / _frozen_importlib": "the same",
    "attributes of modules / encodings": "the spawner's log uses the codec unicode_escape",
}
SOMETIMES = {
    "attributes of modules / encodings": "once the log has been written",
    "attributes of modules / _frozen_importlib": "not where site-packages import importlib",
    "origins / _frozen_importlib": "the same",
}


def test_C17_a_script_can_tell_no_difference_but_the_listed(scripts: Scripts) -> None:
    script = scripts.add("everything.script", SOURCE)
    cold = tell(scripts, script, warm=False)
    warm = tell(scripts, script, warm=True)
    found = dict(differences(cold, warm))
    unlisted = {key: value for key, value in found.items() if not reason(key)}
    assert not unlisted, "\n".join(map(describe, unlisted.items()))
    unused = [key for key in DIFFERENCES if not any(name.startswith(key) for name in found)]
    assert [key for key in unused if key not in SOMETIMES] == []


def describe(difference: tuple[str, tuple[object, object]]) -> str:
    key, (cold, warm) = difference
    if isinstance(cold, list) and isinstance(warm, list):
        gone = [item for item in cold if item not in warm]
        return f"{key}: gone {gone}, new {[item for item in warm if item not in cold]}"
    return f"{key}: {cold} → {warm}"


def reason(key: str) -> str | None:
    return next((why for name, why in DIFFERENCES.items() if key.startswith(name)), None)


def tell(scripts: Scripts, script: Path, *, warm: bool) -> dict[str, object]:
    with Driver(scripts.interpreter, warm=warm, nice=3, open_files=99, cpu="50s") as driver:
        worker = driver.worker()
        if warm:
            scripts.wait_until_kept(worker, script, driver)
        run = worker.start(str(script), cwd=script.parent, env=(b"A=1", b"HTTP_X=\xff", b"E="))
        worker.wait(run)
        assert run.code == 0, run.errors.decode()
        assert run.errors == b""
        text = run.output.decode().replace(f"{driver.token}-0-{run.id}", "MARK")
        told: dict[str, object] = json.loads(re.sub(r" at 0x[0-9a-f]+", "", text))
        return told


def differences(
    cold: object, warm: object, key: str = ""
) -> Iterator[tuple[str, tuple[object, object]]]:
    if isinstance(cold, dict) and isinstance(warm, dict):
        for name in {**cold, **warm}:
            inner = f"{key} / {name}" if key else name
            yield from differences(cold.get(name), warm.get(name), inner)
    elif cold != warm:
        yield key, (cold, warm)
