"""curl as the client: what it sends is what the world sends."""

import json
import subprocess
import tempfile
from pathlib import Path

from tests.live.daemon import DEADLINE, Reply
from tests.programs.peers import need

_SUMMARY = '{"status": %{http_code}, "fields": %{header_json}}'


def curl(url: str, *options: str | Path) -> Reply:
    """Ask with curl's own options, and return the answer; of repeated fields the first value."""
    program = need("curl", package="curl")
    with tempfile.NamedTemporaryFile() as body:
        done = subprocess.run(
            [program, "-sS", "-o", body.name, "-w", _SUMMARY, *options, url],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        fields = {name: values[0] for name, values in summary["fields"].items()}
        return Reply(summary["status"], fields, Path(body.name).read_bytes())
