"""Python scripts for warm pools, and how to tell how they were run."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from tests.spawner.driver import Driver
from tests.spawner.worker import Run, Worker, wait_until

# Says in which way it was started.
TELL = "import sys; print('fork' if sys._getframe().f_back else 'exec')\n"
# A file that changes within this time may do so without a trace; nothing of it is kept.
FRESH = 2.0


class Scripts:
    """Scripts for one interpreter, in a directory."""

    def __init__(self, directory: Path, interpreter: str) -> None:
        self.directory = directory
        self.interpreter = interpreter

    def add(self, name: str, text: str, *, shebang: str | None = None, mode: int = 0o755) -> Path:
        """Make a script; `text` begins in line 2."""
        path = self.directory / name
        line = f"#!{self.interpreter}" if shebang is None else shebang
        path.write_text(f"{line}\n{text}")
        path.chmod(mode)
        return path

    def run(self, worker: Worker, script: Path, **options: object) -> Run:
        """Run a script in its directory, to its end."""
        run = worker.start(str(script), cwd=script.parent, **options)  # type: ignore[arg-type]
        worker.wait(run)
        return run

    def wait_until_kept(self, worker: Worker, script: Path, driver: Driver) -> None:
        """Run a script until its code and its modules are kept: a scout has come and gone."""
        self.wait_until_all_are_kept(worker, [script], driver)

    def wait_until_all_are_kept(
        self, worker: Worker, scripts: Sequence[Path], driver: Driver
    ) -> None:
        """The same for more than one; scouts go out one after the other."""
        wait_until(lambda: age(scripts[-1]) > FRESH, "an age at which files are kept")
        for script in scripts:
            self.run(worker, script)
            wait_until(driver.is_at_rest, "the return of the scout")


def age(path: Path) -> float:
    """Return the seconds since a file's last change."""
    status = os.stat(path)
    return time.time() - max(status.st_mtime, status.st_ctime)
