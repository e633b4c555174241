"""Repositories behind git-http-backend, served as README.md's example says, and git to use them."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.daemon import Daemon, daemon
from tests.programs.manual import changed, example, with_mounts
from tests.programs.peers import need

IS_ROOT = os.geteuid() == 0
OWNER = "nobody" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name

# Nothing of the machine's or the user's own configuration has a say.
QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


def git(*arguments: str | Path, where: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run git to its end, whatever that is."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        [need("git", package="git"), *arguments],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=60.0,
        env=outside | QUIET | env,
    )


def check(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a git has said that must have gone well."""
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def configuration(*, warm: bool, **env: str) -> str:
    """Return README's example; `env` is what the operator adds to the mount's environment."""
    pool = f"[pool.git]\nwarm = {str(warm).lower()}\n"
    words = {'user = "git"': f'user = "{OWNER}"', '"/srv/git"': '"{root}"', "[pool.git]\n": pool}
    text = changed(example("Git over HTTP", "toml"), **words)
    added = "".join(f', {name} = "{value}"' for name, value in env.items())
    site = with_mounts(re.sub(r" }$", f"{added} }}", text, flags=re.MULTILINE))
    return f'user = "{OWNER}"\n{site}' if IS_ROOT else site


def fill(repository: Path, *, commits: int = 3) -> None:
    """Make a bare repository with a few commits."""
    repository.mkdir(parents=True)
    check(git("init", "-q", "--bare", "-b", "main", where=repository))
    work = repository.with_suffix(".work")
    check(git("clone", "-q", repository, work, where=repository))
    for number in range(commits):
        (work / f"file{number}").write_text(f"content {number}\n")
        check(git("add", ".", where=work))
        check(git("commit", "-qm", f"commit {number}", where=work))
    check(git("push", "-q", "origin", "HEAD:main", where=work))
    shutil.rmtree(work)


@dataclass(frozen=True, slots=True)
class Forge:
    """A daemon that serves `project.git`, and a directory for clones."""

    running: Daemon
    clones: Path

    @property
    def root(self) -> Path:
        return self.running.directory / "git"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.port}/git/project.git"

    def clone(self, name: str, *options: str, **env: str) -> str:
        return check(git("clone", *options, self.url, name, where=self.clones, **env))

    def served(self, *arguments: str) -> str:
        """Run git in the repository that is served, as its owner would."""
        repository = self.root / "project.git"
        safe = ("-c", f"safe.directory={repository}")
        return check(git(*safe, "-C", repository, *arguments, where=self.clones)).strip()


@contextmanager
def forge(clones: Path, config: str, *, owner: str = OWNER, passwords: str = "") -> Iterator[Forge]:
    """Make a repository with a few commits that belongs to `owner`, and serve it.

    `passwords` is what the file of that name has, beside the configuration.
    """
    need("/usr/lib/git-core/git-http-backend", package="git")
    with daemon(config, start=False) as running:
        running.configure(config.replace("{root}", f"{running.directory}/git"))
        served = Forge(running, clones)
        if passwords:
            running.write("passwords", passwords)
        fill(served.root / "project.git")
        if IS_ROOT:
            for path in (served.root, *served.root.rglob("*")):
                shutil.chown(path, owner)
        running.start()
        yield served
