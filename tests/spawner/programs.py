"""Programs that the tests start, and looks at them."""

from pathlib import Path

from tests.spawner.worker import Run, Worker

FOREVER = "exec sleep 300"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 1; done"
# Leaves the group and the session, three sessions deep, without our pipes.
DAEMON = (
    "setsid sh -c 'setsid sh -c \"setsid sleep 300 & sleep 300\" & sleep 300' >/dev/null 2>&1 &"
)


def script(path: Path, text: str, *, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def is_alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in "ZX"


def wait_output(worker: Worker, run: Run, text: bytes) -> None:
    worker.wait_for(lambda: text in run.output, f"output {text!r}, not {bytes(run.output)!r}")


def status_of(run: Run) -> dict[str, str]:
    lines = run.output.decode().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
