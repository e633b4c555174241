"""A server: which program runs with which configuration, what it can do and how it ends."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.case import Ability, Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How to run one server in the foreground.

    `arguments` and the file `configuration` may hold words between @ signs, the former also
    @CONFIG@, the filled-in configuration; `words` are further ones.  `needs` are files without
    which it cannot run, `trial` a command that fails where it cannot.  `reload` is the signal that
    has its first process take up its configuration anew.  `log` is the access log, below its
    directory.  `unwaited` are the abilities that it has from processes it does not wait for, so
    that only a cgroup can count their time.
    """

    name: str
    package: str
    program: Path
    arguments: tuple[str, ...]
    abilities: frozenset[Ability]
    configuration: Path | None = None
    words: tuple[tuple[str, str], ...] = ()
    needs: tuple[Path, ...] = ()
    trial: tuple[str, ...] = ()
    stop: signal.Signals = signal.SIGTERM
    reload: signal.Signals | None = None
    log: str | None = "access.log"
    unwaited: frozenset[Ability] = frozenset()
    quick: bool = False

    @property
    def keeps(self) -> bool:
        """Whether a connection outlives a request."""
        return Ability.KEEPS in self.abilities

    def can(self, case: Case) -> bool:
        """Whether the server can be measured with `case`."""
        return case.needs <= self.abilities

    def missing(self) -> str | None:
        """Why the server cannot be measured here, or None."""
        for file in (self.program, *self.needs):
            if not os.access(file, os.R_OK):
                return f"{file} is not there, or not for us; {self.package} brings it"
        if self.trial and subprocess.run(self.trial, capture_output=True).returncode:
            return f"this fails: {' '.join(self.trial)}; {self.package} brings what does not"
        return None


def fill_in(text: str, words: Mapping[str, str]) -> str:
    """Replace every @WORD@ in `text`.  Raises KeyError for a word that is not in `words`."""
    return re.sub(r"@([A-Z]+)@", lambda match: words[match[1]], text)
