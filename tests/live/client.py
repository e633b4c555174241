"""A client that says exactly what it is told and reads answers strictly, one after the other."""

import re
import socket
from types import TracebackType
from typing import Self

from tests.live.daemon import Daemon, Reply

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t -~\x80-\xff]*)\r\n")
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


class Client:
    """One connection; a context manager that closes it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._file = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reply(self, method: str = "GET") -> Reply:
        """Read the next answer, to a request of a method; a 100 is an answer of its own."""
        status, fields = self._head()
        if method == "HEAD" or status < 200 or status in (204, 304):
            return Reply(status, fields, b"")
        if fields.get("transfer-encoding") == "chunked":
            return Reply(status, fields, self._chunks())
        if "content-length" in fields:
            length = int(fields["content-length"])
            return Reply(status, fields, self._exactly(length))
        return Reply(status, fields, self._file.read())

    def ask(self, data: bytes, method: str = "GET") -> Reply:
        """Send bytes and read one answer."""
        self.send(data)
        return self.reply(method)

    def rest(self) -> bytes:
        """Read what comes until the server closes."""
        return self._file.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self.connection.close()

    def _head(self) -> tuple[int, dict[str, str]]:
        line = self._file.readline()
        match = _STATUS_LINE.fullmatch(line)
        assert match, f"not a status line: {line!r}"
        fields: dict[str, str] = {}
        while (line := self._file.readline()) != b"\r\n":
            found = _FIELD.fullmatch(line)
            assert found, f"not a field: {line!r}"
            name = found[1].decode().lower()
            assert name not in fields, f"{name} comes twice"
            fields[name] = found[2].decode("latin-1")
        return int(match[1]), fields

    def _chunks(self) -> bytes:
        body = b""
        while True:
            line = self._file.readline()
            match = _CHUNK.fullmatch(line)
            assert match, f"not a chunk: {line!r}"
            body += self._exactly(int(match[1], 16))
            assert self._file.readline() == b"\r\n"
            if match[1] == b"0":
                return body

    def _exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        assert len(data) == length, f"{len(data)} of {length} bytes came"
        return data


def open_client(running: Daemon) -> Client:
    """Connect to a daemon."""
    return Client(running.connect())


def get(path: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return a request without a body; `fields` are whole lines."""
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *fields, "", ""]
    return "\r\n".join(lines).encode()


def post(path: str, body: bytes, *fields: str) -> bytes:
    """Return a request with a body of known length."""
    return get(path, *fields, f"Content-Length: {len(body)}", method="POST") + body


def chunked(path: str, *pieces: bytes) -> bytes:
    """Return a request whose body comes in chunks."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return get(path, "Transfer-Encoding: chunked", method="POST") + framed + b"0\r\n\r\n"
