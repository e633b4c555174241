"""`python -m scripts.handbook`: write what the source says now, and name what has changed."""

from pathlib import Path

from forkhttpd import cli, commandline
from scripts.handbook import completions, keys

ROOT = Path(__file__).parents[2]
KEYS = ROOT / "etc/man/forkhttpd.conf.5"
COMPLETIONS = ROOT / "etc/completions"


def main() -> None:
    """Bring the files up to date."""
    for file, text in texts().items():
        _write(file, text)


def texts() -> dict[Path, str]:
    """Return what the files are to hold."""
    commands = completions.read(commandline.make_parser(), cli.WORDS)
    return {
        KEYS: keys.update(KEYS.read_text()),
        COMPLETIONS / "forkhttpd.bash": completions.bash(commands),
        COMPLETIONS / "_forkhttpd": completions.zsh(commands),
        COMPLETIONS / "forkhttpd.fish": completions.fish(commands),
    }


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
        print(f"written: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
