"""What heads meant that have been read before.

A client sends the same fields with every line, and many clients send the same line, so the two
parts are remembered apart, each under its exact bytes.  A head is known when both of its parts
are.  For that to be the same as reading it, each part must mean the same wherever it stands:

* the fields are remembered under their bytes *with the version before them* (`HTTP/1.1 CRLF Host:
  …`), since Host, keep-alive and framing are judged by version;
* a line with an authority stays out, because it overrides Host;
* a head with a body, an expectation or an Upgrade stays out: only those leave anything to do
  after the head, or have llhttp look at the method;
* both parts come from heads that were accepted whole, under the same limits.

Full means forgotten: a client that invents lines costs everybody one more reading each, once in
a thousand requests.
"""

from forkhttpd.http1.limits import ParserLimits
from forkhttpd.http1.request import HeaderSection, RequestLine

_LINE_BYTES = 512
_SECTION_BYTES = 2048


class HeadMemory:
    """The memory of one process, for all of its parsers (their limits must be these).

    `entries` bounds lines and sections, each; 0 remembers nothing.  1024 of both take 3 MiB as
    browsers send them, and 16 MiB at worst (a hundred tiny fields each).
    """

    __slots__ = ("_entries", "limits", "lines", "sections")

    def __init__(self, limits: ParserLimits, *, entries: int = 1024) -> None:
        self.limits = limits
        self.lines: dict[bytes, RequestLine] = {}
        self.sections: dict[bytes, HeaderSection] = {}
        self._entries = entries

    def remember(
        self, line_key: bytes, line: RequestLine, *, section_key: bytes, section: HeaderSection
    ) -> None:
        """Keep both parts of an accepted head, unless it is one that must stay out."""
        if self._is_small(line_key, section_key) and stands_alone(line, section):
            self._make_room()
            self.lines[line_key] = line
            self.sections[section_key] = section

    def _is_small(self, line_key: bytes, section_key: bytes) -> bool:
        return (
            self._entries > 0
            and len(line_key) <= _LINE_BYTES
            and len(section_key) <= _SECTION_BYTES
        )

    def _make_room(self) -> None:
        for part in (self.lines, self.sections):
            if len(part) >= self._entries:
                part.clear()


def stands_alone(line: RequestLine, section: HeaderSection) -> bool:
    """Whether neither part depends on the other, and nothing follows the head."""
    return (
        not line.target.authority
        and section.length == 0
        and "expect" not in section.fields
        and "upgrade" not in section.fields
    )
