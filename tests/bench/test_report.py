"""The report says who wins where all rounds agree, and never more."""

import json

import pytest

from scripts.benchmark.report import document, markdown, significant
from scripts.benchmark.rounds import Sample
from tests.bench.samples import report, sample

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
    lines = text.split(f"## {heading}", 1)[1].splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("|"))
    table = lines[begin : lines.index("", begin)] if "" in lines[begin:] else lines[begin:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return [row for number, row in enumerate(cells) if number != 1]


def _cpu(samples: list[Sample]) -> list[str]:
    """The cells of the only case in the table of CPU time."""
    return _rows(markdown(report(samples)), "Files: CPU per request")[1]


def test_each_quantity_has_a_table_with_ratios_to_peers_but_not_to_the_floor() -> None:
    text = markdown(report(_SAMPLES))
    heading, row = _rows(text, "Files: CPU per request")
    assert heading[1:] == ["forkhttpd", "nginx", "lighttpd", "floor", "÷ best"]
    assert row[:2] == ["1 KB keep-alive", "8.00 ±0%"]
    assert row[2] == "10.0 ±0% (**0.80** ▲)"
    assert row[4] == "5.00 ±0%"
    heading, row = _rows(text, "Files: requests per second")
    assert row[1].startswith("90,000")


def test_where_all_rounds_agree_the_winner_is_bold() -> None:
    rate = _rows(markdown(report(_SAMPLES)), "Files: requests per second")[1]
    assert rate[2].endswith("(**1.12** ▲)")
    assert rate[3].endswith("(**0.90** ▼)")
    assert rate[5] == "**0.90** ▼"


def test_where_rounds_disagree_nothing_is_bold() -> None:
    cpu = _cpu(_SAMPLES)
    assert "*" not in cpu[3]
    assert cpu[3].endswith(f"({cpu[5]})")  # lighttpd is the best of the peers


def test_a_case_that_a_server_cannot_do_is_a_dash() -> None:
    others = [
        sample("forkhttpd", 1, case="close", cpu=9.0),
        sample("nginx", 1, case="close", cpu=9.0),
    ]
    rows = _rows(markdown(report([*_SAMPLES, *others])), "Files: CPU per request")
    assert rows[2][0] == "1 KB Connection: close"
    assert rows[2][3:5] == ["-", "-"]


def test_a_server_that_none_of_a_tables_cases_is_for_has_no_column() -> None:
    samples = [taken for taken in _SAMPLES if taken.server != "lighttpd"]
    heading = _rows(markdown(report(samples)), "Files: CPU per request")[0]
    assert heading[1:] == ["forkhttpd", "nginx", "floor", "÷ best"]


def test_a_warm_pool_is_a_row_of_its_own_with_the_same_peers() -> None:
    samples = [
        sample("forkhttpd", 1, case="python", rate=80),
        sample("forkhttpd-warm", 1, case="python", rate=800),
        sample("lighttpd", 1, case="python", rate=50),
    ]
    heading, cold, warm = _rows(markdown(report(samples)), "Programs: requests per second")
    assert heading[1:] == ["forkhttpd", "lighttpd", "÷ best"]
    assert cold[1:] == ["80.0 ±0%", "50.0 ±0% (**1.60** ▲)", "**1.60** ▲"]
    assert warm[0].endswith("; warm")
    assert warm[1:] == ["800 ±0%", "50.0 ±0% (**16.00** ▲)", "**16.00** ▲"]


def test_rows_of_different_quantities_say_their_units() -> None:
    samples = [Sample(1, "alone", "forkhttpd", {"start": 300.0, "memory": 30.0})]
    rows = _rows(markdown(report(samples)), "Start and memory")
    assert [row[0] for row in rows[1:]] == ["Start to first answer, ms", "All processes, idle, MiB"]


def test_without_us_there_are_no_ratios() -> None:
    samples = [taken for taken in _SAMPLES if taken.server in ("nginx", "lighttpd")]
    text = markdown(report(samples, servers=["nginx", "lighttpd"]))
    assert _rows(text, "Files: CPU per request")[0] == ["", "nginx", "lighttpd"]
    assert "## Marks" not in text


def test_what_was_left_out_is_told_with_the_reason() -> None:
    text = markdown(report(_SAMPLES, left_out={"apache-event": "it is not there"}))
    assert "Left out:\n\n- apache-event: it is not there" in text
    assert "Left out" not in markdown(report(_SAMPLES))


def test_unknown_cpu_time_is_explained() -> None:
    assert "only a cgroup" not in markdown(report(_SAMPLES))
    assert "only a cgroup" in markdown(report([*_SAMPLES, sample("nginx", 3, cpu=None)]))


def test_marks_that_were_judged_and_those_that_were_not_are_both_told() -> None:
    text = markdown(report(_SAMPLES))
    marks = {row[0]: row for row in _rows(text, "Marks")}
    assert marks["1 KB keep-alive: CPU per request ≤ 0.9 times nginx"][2:] == ["0.800", "yes"]
    assert marks["1 KB keep-alive: CPU per request ≤ 1 times lighttpd"][2:] == ["1.02", "**no**"]
    assert "Marks not judged" in text
    assert "404: CPU per request ≤ 1.2 times nginx;" in text


def test_json_holds_every_sample_and_the_ratios_of_the_tables() -> None:
    found = json.loads(json.dumps(document(report(_SAMPLES))))
    assert len(found["samples"]) == len(_SAMPLES)
    cpu = next(each for each in found["summary"] if each["quantity"] == "cpu")
    assert cpu["case"] == "1k"
    assert cpu["servers"]["forkhttpd"] == {"median": 8.0, "spread": 0.0}
    assert cpu["ratios"]["nginx"] == {"median": 0.8, "verdict": "better"}
    assert {"mark", "measured", "met"} == set(found["marks"][0])
    assert set(found["machine"]) == {"cores", "kernel"}
    assert found["machine"]["kernel"].replace(".", "").isdecimal()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
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
