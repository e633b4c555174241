"""Listening sockets, as a client and as the kernel see them."""

import socket
from pathlib import Path

from tests.live.daemon import DEADLINE, read_all


def ask_unix(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(path))
        connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        return read_all(connection)


def listening_inode(port: int) -> str:
    """Return the inode of the socket that listens on a port (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = [row[9] for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"]
    return inode
