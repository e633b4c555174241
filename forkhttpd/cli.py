"""The command: reads the arguments, and joins master, worker and spawner.

This is the composition root, the one place that knows all three.  What the operator gets to read
goes to standard error, what was asked for to standard output, and the exit code says whose turn
it is (`forkhttpd.errors.ExitCode`).
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from forkhttpd import cgroups, commandline, explain, log, quick, reach, status
from forkhttpd.bundle import compiled, exec_spawner
from forkhttpd.commandline import SIGNALS
from forkhttpd.config import Config, whereabouts
from forkhttpd.config.reader import Reader
from forkhttpd.config.source import Source, read
from forkhttpd.errors import ConfigError, ExitCode, StartupError, describe
from forkhttpd.handlers.cgi import lint
from forkhttpd.handlers.mediatypes import read_system_types
from forkhttpd.inheritance import Program, Role
from forkhttpd.inquiry import NoAnswer, ask
from forkhttpd.master.pidfile import holder
from forkhttpd.master.start import run
from forkhttpd.worker.worker import run_worker

# The words with arguments of their own: a module each, with `main` and `make_parser`.
WORDS: dict[str, ModuleType] = {"explain": explain, "status": status}
# Seconds that a reader may take.  For a master they are fewer: a watchdog of 30 s, as in our unit,
# may have heard of it 15 s before that.
_PATIENCE = 60.0
_PATIENCE_OF_MASTER = 12.0
# So long it does nothing else; who asks it has to wait for longer.
_PATIENCE_WITH_MASTER = 15.0


def main(argv: Sequence[str] | None = None, *, reader: Reader | None = None) -> int:
    """Do what the arguments say and return the exit code.

    `reader` has begun with the file that they say is to be served.
    """
    try:
        words = sys.argv[1:] if argv is None else argv
        if words[:1] and words[0] in WORDS:
            code: int = WORDS[words[0]].main(words[1:])
            return code
        return _perform(commandline.parse(words), reader)
    except SystemExit as leaving:  # argparse has its own idea of exit codes: 2 for usage
        return ExitCode.USAGE if leaving.code else ExitCode.STOPPED
    except StartupError as error:
        _say(str(error).splitlines(), "ERROR")
        return error.exit_code


def _perform(arguments: argparse.Namespace, reader: Reader | None) -> int:
    if not os.path.isdir("/proc/self/fd"):  # as in a chroot: what a child keeps is read there
        message = "nothing works here without /proc; mount it: mount -t proc proc /proc"
        raise StartupError(message, exit_code=ExitCode.OSERR)
    if commandline.serves_directory(arguments):
        return _serve_directory(arguments)
    file: Path = arguments.config
    if arguments.test:
        return _test(file, allow_root=arguments.allow_root)
    if arguments.dump:
        return _dump(_parse(read(file)))
    if arguments.signal:
        return _signal(file, arguments.signal)
    reader = reader or Reader(file, allow_root=arguments.allow_root)
    return _run(file, reader, allow_root=arguments.allow_root, daemonize=arguments.daemon)


def _serve_directory(arguments: argparse.Namespace) -> int:
    wish = quick.Wish(
        directory=arguments.directory or Path(),
        host=arguments.bind or quick.LOOPBACK,
        port=quick.PORT if arguments.port is None else arguments.port,
        cgi=arguments.cgi,
    )
    config = quick.configure(wish)
    if arguments.dump:
        config, left_out = quick.kept(config)
        _say(left_out, "WARNING")
        return _dump(config)
    _say(quick.warnings(config, uid=os.geteuid()), "WARNING")
    _say([f"serving {wish}; ^C stops"], "INFO")
    try:
        return run(config, load=lambda: config, programs=_programs(), daemonize=False)
    except StartupError as error:
        message = f"{error}{quick.hint(error.__cause__)}"
        raise StartupError(message, exit_code=error.exit_code) from None


def _run(file: Path, reader: Reader, *, allow_root: bool, daemonize: bool) -> int:
    reading = reader.result(patience=_PATIENCE)
    read_system_types()
    _say(reading.warnings, "WARNING")
    if daemonize:
        _say(_unheard(reading.config), "WARNING")
    whole_path = file.absolute()  # a daemon's directory is another one by the time of a reload

    def load() -> Config:
        nonlocal reading
        reader = Reader(whole_path, allow_root=allow_root, last=reading)
        reading = reader.result(patience=_PATIENCE_OF_MASTER)
        read_system_types()
        for warning in reading.warnings:
            logging.getLogger("forkhttpd").warning("%s", warning)
        return reading.config

    return run(reading.config, load=load, programs=_programs(), daemonize=daemonize, path=file)


def _unheard(config: Config) -> Iterable[str]:
    """Yield what gets lost in the background, where standard output and error are nobody's."""
    logs = {"[log] access": config.log.access, "[log] error": config.log.error}
    for key, place in logs.items():
        if place in ("stdout", "stderr"):
            yield f'{key}: in the background nobody reads {place}; write a file, or "off"'
    if config.pid_file is None:
        yield "pid_file: missing, so -s and status cannot find it; write the path of a file"


def _programs() -> Mapping[Role, Program]:
    """Return what children run; what all spawners load is made now, before the first fork."""
    compiled()
    return {Role.WORKER: run_worker, Role.SPAWNER: exec_spawner}


def _test(file: Path, *, allow_root: bool) -> int:
    """Print every problem and warning as they are, so that an editor can jump to them."""
    from forkhttpd.config import htaccess
    from forkhttpd.config.check import Report
    from forkhttpd.config.examination import examine

    try:
        config, report = examine(file, allow_root=allow_root)
        told = (cgroups.warnings, lint.warnings, htaccess.warnings, reach.warnings)
        found = [finding for warnings in told for finding in warnings(config)]
        report.warnings.extend(read(file).tell(found, kind="warning: "))
    except ConfigError as error:
        report = Report(error.problems, [])
    for line in report.problems + report.warnings:
        print(line, file=sys.stderr)
    return ExitCode.CONFIG if report.problems else _print(f"{file}: ok\n")


def _dump(config: Config) -> int:
    from forkhttpd.config.dump import dump

    return _print(dump(config, comments=True))


def _parse(source: Source) -> Config:
    from forkhttpd.config.load import parse

    return parse(source)


def _signal(file: Path, name: str) -> int:
    """Send a signal to the master whose PID file the configuration names.

    A configuration that went wrong since the start keeps nobody from stopping the master; only a
    reload and an upgrade ask for a right one, so that a wrong one is told here, too.
    """
    source = read(file)
    if name in ("reload", "upgrade"):
        _parse(source)
    if name == "reload" and _reload(source):
        return ExitCode.STOPPED
    path = whereabouts.pid_file(source)
    if path is None:
        wrong = "missing, so nobody knows which process to signal; write the path of a file"
        raise ConfigError(source.tell([(("pid_file",), wrong)]))
    try:
        _deliver(path, SIGNALS[name])
    except ProcessLookupError:
        message = f"nobody holds {path}, so no forkhttpd runs with {file}; start it with -c {file}"
        raise StartupError(message, exit_code=ExitCode.UNAVAILABLE) from None
    except OSError as error:
        message = f"cannot signal the holder of {path}: {describe(error)}"
        raise StartupError(message, exit_code=ExitCode.OSERR) from None
    if name == "reload":
        _say(
            ["told to reload; nobody answers at a control socket: the log has the verdict"], "INFO"
        )
    return ExitCode.STOPPED


def _reload(source: Source) -> bool:
    """Reload by the control socket and wait for the verdict; False if nobody is there (O10).

    Raises StartupError when the reload was refused, with the reason.
    """
    path = whereabouts.control_socket(source)
    if path is None:
        return False
    try:
        answer = _await_verdict(path)
    except NoAnswer:
        return False
    except OSError as error:
        message = f"cannot ask at {path}: {describe(error)}"
        raise StartupError(message, exit_code=ExitCode.OSERR) from None
    if answer["code"]:
        raise StartupError(str(answer["text"]), exit_code=ExitCode(answer["code"]))
    _say([str(answer["text"])], "INFO")
    return True


def _await_verdict(path: Path) -> dict[str, Any]:
    """Ask; once more when a master took the question along: perhaps it left to a new one."""
    try:
        return ask(path, "reload", patience=_PATIENCE_WITH_MASTER)
    except NoAnswer as silence:
        if not silence.asked:
            raise
        message = "the master answers nobody: it hangs, or somebody has stopped it (SIGSTOP)"
        if silence.hangs:
            raise StartupError(message, exit_code=ExitCode.UNAVAILABLE) from None
    try:
        return ask(path, "reload", patience=_PATIENCE_WITH_MASTER)
    except NoAnswer:
        message = "the master stopped before it came to a verdict"
        raise StartupError(message, exit_code=ExitCode.UNAVAILABLE) from None


def _deliver(path: Path, number: signal.Signals) -> None:
    """Signal the holder of a PID file.  Raises ProcessLookupError if there is none, OSError."""
    pid = holder(path)
    if pid is None:
        raise ProcessLookupError
    fd = os.pidfd_open(pid)
    try:
        if holder(path) != pid:  # it left meanwhile, and the number may be somebody else's now
            raise ProcessLookupError
        signal.pidfd_send_signal(fd, number)
    finally:
        os.close(fd)


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; the interpreter would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.STOPPED


def _say(lines: Iterable[str], level: str) -> None:
    mark = log.mark(2, level)
    for line in lines:
        print(f"{mark}forkhttpd: {line}", file=sys.stderr)
