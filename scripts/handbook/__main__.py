"""`python -m scripts.handbook`: write what the source says now, and name what has changed."""

from pathlib import Path

from scripts.handbook import keys

ROOT = Path(__file__).parents[2]
KEYS = ROOT / "etc/man/forkhttpd.conf.5"


def main() -> None:
    """Bring the files up to date."""
    _write(KEYS, keys.update(KEYS.read_text()))


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
        print(f"written: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
