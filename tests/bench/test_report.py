"""The report says who wins where all rounds agree, and never more."""

import json

import pytest

from scripts.benchmark.report import Report, document, markdown, significant
from scripts.benchmark.rounds import Sample
from tests.bench.samples import sample


def _report(samples: list[Sample], **changes: object) -> Report:
    values: dict[str, object] = {
        "samples": samples,
        "cases": ["1k"],
        "servers": ["forkhttpd", "nginx", "lighttpd", "floor"],
        "left_out": {},
        "rounds": 2,
        "seconds": 1,
        "seed": 1,
        "accounting": "cgroup v2",
    }
    return Report(**(values | changes))  # type: ignore[arg-type]


_SAMPLES = [
    *(sample("forkhttpd", number, cpu=8.0, rate=90_000) for number in (1, 2)),
    *(sample("nginx", number, cpu=10.0, rate=80_000) for number in (1, 2)),
    *(sample("lighttpd", number, cpu=7.0 + number, rate=100_000) for number in (0, 2)),
    sample("lighttpd", 1, cpu=7.0, rate=100_000),
    sample("floor", 1, cpu=5.0, rate=120_000),
    sample("floor", 2, cpu=5.0, rate=120_000),
]


def _rows(text: str, heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without the line under its first."""
    lines = text.split(f"## {heading}", 1)[1].strip().splitlines()[2:]
    table = lines[: lines.index("")] if "" in lines else lines
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return [row for number, row in enumerate(cells) if number != 1]


def test_each_quantity_has_a_table_with_ratios_to_peers_but_not_to_the_floor() -> None:
    text = markdown(_report(_SAMPLES))
    heading, row = _rows(text, "CPU per request")
    assert heading[1:5] == ["forkhttpd", "nginx", "lighttpd", "floor"]
    assert heading[5:] == ["÷ nginx", "÷ lighttpd", "÷ best"]
    assert row[0] == "1 KB keep-alive"
    assert row[1].startswith("8.00 ±0%")
    assert row[4].startswith("5.00")
    heading, row = _rows(text, "Requests per second")
    assert row[1].startswith("90,000")


def test_where_all_rounds_agree_the_winner_is_bold() -> None:
    text = markdown(_report(_SAMPLES))
    cpu = _rows(text, "CPU per request")[1]
    assert cpu[5] == "**0.80** ▲"
    rate = _rows(text, "Requests per second")[1]
    assert rate[5:] == ["**1.12** ▲", "**0.90** ▼", "**0.90** ▼"]


def test_where_rounds_disagree_nothing_is_bold() -> None:
    cpu = _rows(markdown(_report(_SAMPLES)), "CPU per request")[1]
    assert "*" not in cpu[6]
    assert cpu[7] == cpu[6]  # lighttpd is the best of the peers


def test_a_case_that_a_server_cannot_do_is_a_dash() -> None:
    samples = [taken for taken in _SAMPLES if taken.server != "nginx"]
    row = _rows(markdown(_report(samples)), "CPU per request")[1]
    assert row[2] == "-"
    assert row[5] == "-"


def test_without_us_there_are_no_ratios() -> None:
    text = markdown(_report(_SAMPLES, servers=["nginx", "lighttpd"]))
    assert _rows(text, "CPU per request")[0] == ["case", "nginx", "lighttpd"]


def test_what_was_left_out_is_told_with_the_reason() -> None:
    text = markdown(_report(_SAMPLES, left_out={"apache": "it is not there"}))
    assert "Left out:\n\n- apache: it is not there" in text
    assert "Left out" not in markdown(_report(_SAMPLES))


def test_unknown_cpu_time_is_explained() -> None:
    assert "only a cgroup" not in markdown(_report(_SAMPLES))
    assert "only a cgroup" in markdown(_report([*_SAMPLES, sample("nginx", 3, cpu=None)]))


def test_json_holds_every_sample_and_the_ratios_of_the_tables() -> None:
    found = json.loads(json.dumps(document(_report(_SAMPLES))))
    assert len(found["samples"]) == len(_SAMPLES)
    cpu = found["summary"]["cpu"]["1k"]
    assert cpu["servers"]["forkhttpd"] == {"median": 8.0, "spread": 0.0}
    assert cpu["ratios"]["nginx"] == {"median": 0.8, "verdict": "better"}
    assert set(found["machine"]) == {"cores", "kernel"}
    assert found["machine"]["kernel"].replace(".", "").isdecimal()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9.813, "9.81"),
        (0.5, "0.500"),
        (27.96, "28.0"),
        (104.4, "104"),
        (999.6, "1,000"),
        (1234.0, "1,230"),
        (87063.0, "87,100"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text
