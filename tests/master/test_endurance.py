"""What a master that is reloaded for years must not do: grow (M14)."""

import os
import signal
from pathlib import Path

import psutil

from tests.master.live import Live, await_that, serving

RELOADS = 200
WARM_UP = 10  # reloads after which a Python process has grown as far as it grows


def reload_times(live: Live, count: int, *, before: int) -> None:
    """Send HUPs one after the other, each after the verdict on the one before."""
    for number in range(before + 1, before + count + 1):
        live.signal(signal.SIGHUP)
        await_that(lambda number=number: live.verdicts() == number, "the verdict")  # type: ignore[misc]


def test_M14_200_HUPs_leave_no_descriptor_no_thread_and_no_memory(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1, pid_file=tmp_path / "pid") as live:
        reload_times(live, WARM_UP, before=0)
        await_that(lambda: len(live.children()) == 2)
        process = psutil.Process(live.pid)
        fds, threads, memory = live.fds(), process.num_threads(), process.memory_info().rss
        reload_times(live, RELOADS, before=WARM_UP)
        await_that(lambda: len(live.children()) == 2)
        await_that(lambda: live.fds() <= fds, "no more descriptors")
        assert process.num_threads() == threads
        grown = process.memory_info().rss - memory
        print(f"{RELOADS} reloads: {fds} descriptors, {memory >> 10} KiB + {grown >> 10} KiB")
        assert grown < 2 << 20
        assert live.log().count("]: reloaded: ") == RELOADS + WARM_UP
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
