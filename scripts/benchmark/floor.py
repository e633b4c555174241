"""The floor: the least that a server in Python can do for a request.  `floor.py PORT FILE USER`.

Two processes with an epoll loop each that answer whatever arrives with one fixed response, the
file as its body: one epoll_wait, one recv, one send, as few objects as can be.  It parses nothing,
looks at no file and writes no log; what a real server costs beyond it is what that server does.
"""

import os
import pwd
import select
import socket
import sys
from pathlib import Path

_PROCESSES = 2
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


def main() -> None:
    """Serve until the process group is ended."""
    port, file, user = sys.argv[1:]
    body = Path(file).read_bytes()
    # Bound before the fork, each its own: SO_REUSEPORT spreads the connections over both.
    listeners = [_listen(int(port)) for _ in range(_PROCESSES)]
    _become(user)
    for listener in listeners[1:]:
        if os.fork() == 0:
            _serve(listener, _HEAD % len(body) + body)
    _serve(listeners[0], _HEAD % len(body) + body)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    return listener


def _become(user: str) -> None:
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)


def _serve(listener: socket.socket, response: bytes) -> None:
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            connection = connections.get(fd)
            if connection is None:
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                epoll.register(accepted, select.EPOLLIN)
                connections[accepted.fileno()] = accepted
            elif not _answer(connection, response):
                connections.pop(fd).close()


def _answer(connection: socket.socket, response: bytes) -> bool:
    """One recv and one send, both on a socket that is ready.  False when the client has gone."""
    try:
        return bool(connection.recv(65536)) and connection.send(response) == len(response)
    except OSError:
        return False


if __name__ == "__main__":
    main()
