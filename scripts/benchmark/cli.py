"""The command line: chooses cases and servers, runs the rounds, prints the report."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from types import FrameType
from typing import NoReturn

from scripts.benchmark.bench import Bench
from scripts.benchmark.case import CASES, Case
from scripts.benchmark.crowd import raise_limit
from scripts.benchmark.meter import PROCESS_TREE, best_accounting
from scripts.benchmark.peers import SUBJECT, servers
from scripts.benchmark.picture import picture
from scripts.benchmark.progress import Progress
from scripts.benchmark.report import Report, document, markdown
from scripts.benchmark.rounds import plan
from scripts.benchmark.running import ServerError, Surroundings, unprivileged
from scripts.benchmark.server import Server
from scripts.benchmark.site import Site, make_site

_FULL = (5, 2)  # rounds, seconds each: about twenty minutes
QUICK = (2, 1)  # a minute of load, and half as much around it
_FAILED = 1
_MISSED = 3
_UNAVAILABLE = 69
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the benchmark; the exit status."""
    options = _parse_arguments(sys.argv[1:])
    wrk = shutil.which("wrk")
    if wrk is None:
        return _complain("wrk is not there; apt-get install wrk brings it", status=_UNAVAILABLE)
    if shutil.which("openssl") is None:
        brings = "openssl is not there; apt-get install openssl brings it"
        return _complain(brings, status=_UNAVAILABLE)
    for number in _ENDING_SIGNALS:
        signal.signal(number, _end)
    try:
        with _site() as (directory, site):
            report = _measure(options, Path(wrk), directory, site)
    except (ServerError, CalledProcessError) as error:
        return _complain(str(error), status=_FAILED)
    if options.json:
        options.json.write_text(json.dumps(document(report), indent=2) + "\n")
    if options.svg:
        options.svg.write_text(picture(report))
    print(markdown(report), end="")
    if options.check and any(each.met is False for each in report.judgements):
        return _complain("a mark is missed", status=_MISSED)
    return 0


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure forkhttpd side by side with its peers. Markdown goes to stdout.",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer cases, nginx and lighttpd alone, less exact, in under two minutes",
    )
    parser.add_argument("--rounds", type=_positive, metavar="N", help="how often each is measured")
    parser.add_argument("--seconds", type=_positive, metavar="N", help="how long each time")
    parser.add_argument(
        "--case",
        action="append",
        choices=[case.name for case in CASES],
        help="only this case (may be repeated)",
    )
    parser.add_argument(
        "--server",
        action="append",
        choices=[server.name for server in servers()],
        help="only this server (may be repeated)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the results to FILE")
    parser.add_argument("--check", action="store_true", help=f"exit {_MISSED} if a mark is missed")
    parser.add_argument("--seed", type=int, default=1, help="another order of the servers")
    parser.add_argument(
        "--accounting",
        choices=("best", "proc"),
        default="best",
        help="count CPU time by cgroup where that is possible, or by /proc in any case",
    )
    options = parser.parse_args(arguments)
    rounds, seconds = QUICK if options.quick else _FULL
    options.rounds = options.rounds or rounds
    options.seconds = options.seconds or seconds
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


@contextmanager
def _site() -> Iterator[tuple[Path, Site]]:
    """A directory for everything of a run, with the site in it, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # the servers are not who we are
        yield directory, make_site(directory)


def _measure(options: argparse.Namespace, wrk: Path, directory: Path, site: Site) -> Report:
    raise_limit()
    chosen, left_out = _choose_servers(options)
    entries = _choose_cases(options, chosen, site, left_out)
    chosen = [server for server in chosen if any(server.name in names for _, names in entries)]
    accounting = PROCESS_TREE if options.accounting == "proc" else best_accounting()
    surroundings = Surroundings(directory, site, accounting, *unprivileged())
    steps = plan(entries, rounds=options.rounds, seed=options.seed)
    progress = Progress(len(steps), sys.stderr)
    bench = Bench(wrk, surroundings, {each.name: each for each in chosen}, options.seconds)
    with ExitStack() as stack:
        stack.callback(progress.erase)
        taken = list(bench.run(steps, progress.announce))
    # Who failed in a later round is not judged by the rounds before.
    samples = [one for one in taken if (one.server, one.case) not in bench.failures]
    left_out |= {f"{server}, {case}": why for (server, case), why in bench.failures.items()}
    return Report(
        samples=samples,
        servers=[server.name for server in chosen],
        left_out=left_out,
        rounds=options.rounds,
        seconds=options.seconds,
        seed=options.seed,
        accounting=accounting.title,
    )


def _choose_servers(options: argparse.Namespace) -> tuple[list[Server], dict[str, str]]:
    """The servers to measure, and those that cannot be, with the reason."""
    asked = [server for server in servers() if _is_asked(server, options.server, options)]
    reasons = {server.name: server.missing() for server in asked}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    return [server for server in asked if server.name not in left_out], left_out


def _is_asked(
    each: Server | Case, names: Sequence[str] | None, options: argparse.Namespace
) -> bool:
    """Whether it is named or, without names, belongs to this kind of run."""
    return each.name in names if names else each.quick or not options.quick


def _choose_cases(
    options: argparse.Namespace, chosen: Sequence[Server], site: Site, left_out: dict[str, str]
) -> list[tuple[Case, list[str]]]:
    """The cases to measure, each with its servers; those that cannot be go to `left_out`."""
    entries = []
    for case in [each for each in CASES if _is_asked(each, options.case, options)]:
        able = [server.name for server in chosen if server.can(case)]
        if reason := site.lacking.get(case.path):
            left_out[case.name] = reason
        elif not able:
            left_out[case.name] = "none of the chosen servers can do that"
        else:
            entries.append((case, able))
    if not entries:
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in left_out.items())
        raise ServerError(f"nothing is left to measure{reasons}")
    return entries


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End the run, and let nothing disturb the clearing away that follows."""
    del frame
    for ending in _ENDING_SIGNALS:
        signal.signal(ending, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _complain(message: str, *, status: int) -> int:
    print(f"{SUBJECT} bench: {message}", file=sys.stderr)
    return status
