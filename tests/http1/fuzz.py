"""A fuzzer that follows coverage to break the parser.

    python -m tests.http1.fuzz DIRECTORY [OPTION OF libFuzzer ...]

looks for an input for which `properties.check` fails, from the files of a directory on, until the
options (`-runs=N`, `-max_total_time=SECONDS`) say that it is enough.  It needs atheris, from PyPI.
"""

import sys

import atheris

with atheris.instrument_imports(include=["forkhttpd.http1"]):
    from tests.http1.properties import check

if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
