"""Optional packages: how the Python that runs us gets them."""

import sys


def installing(extra: str) -> str:
    """Return the command, for this very environment: a plain `pip` may be another one's."""
    return f"{sys.executable} -m pip install 'forkhttpd[{extra}]'"
