"""What who serves may not read: `-t` tells, and `explain` sees it as they would."""

import os
import subprocess
import sys

import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, daemon

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can serve as somebody else")

AS_NOBODY = f'user = "nobody"\n{SITE}'


def warnings(running: Daemon) -> list[str]:
    done = running.command("-t")
    assert done.returncode == 0
    return [line.partition("warning: ")[2] for line in done.stderr.splitlines()]


def test_O2_t_warns_of_what_the_user_may_not_reach() -> None:
    with daemon(AS_NOBODY, start=False) as running:
        assert warnings(running) == []
        www, programs = running.directory / "www", running.directory / "cgi-bin"
        www.chmod(0o701)  # it is listed, so it has to be readable
        programs.chmod(0o700)
        denied = "Permission denied for nobody, who needs it; let them: chmod"
        assert warnings(running) == [
            f"[site.mount] docroot: {www}: {denied} a+rx, and a+x on every directory above",
            f"[site.mount] cgi: {programs}: {denied} a+x, and a+x on every directory above",
        ]
        programs.chmod(0o755)
        running.configure(AS_NOBODY.replace("listing = true\n", ""))
        assert warnings(running) == []


def test_O8_explain_by_root_looks_as_the_user_who_serves() -> None:
    with daemon(AS_NOBODY, start=False) as running:
        running.write("www/secret.txt", "secret", mode=0o600)
        command = [sys.executable, "-m", "forkhttpd", "explain", "/secret.txt"]
        told = subprocess.run(
            [*command, "-c", running.config],
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE,
        ).stdout
    assert "answer      403: /secret.txt: Permission denied" in told
