"""smaps_rollup is read right, also that of a process without memory."""

from scripts.benchmark.memory import parse_rollup

_TEXT = """\
55d0c2a00000-7ffd3c1ff000 ---p 00000000 00:00 0                          [rollup]
Rss:               20480 kB
Pss:                9876 kB
Pss_Dirty:          5000 kB
Pss_Anon:           4000 kB
"""


def test_the_proportional_size_is_in_bytes_and_is_not_one_of_its_parts() -> None:
    assert parse_rollup(_TEXT) == 9876 * 1024


def test_a_process_that_has_given_up_its_memory_holds_none() -> None:
    assert parse_rollup("") == 0
