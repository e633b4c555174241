"""What a child is born with: everything that the master hands a worker or a spawner.

A child opens nothing of the outside world by itself.  Listeners, logs and channels are opened once
by the master, in the name of a generation, and inherited through fork; so a worker that is
respawned an hour later is exactly like its siblings, and needs no rights for it.
"""

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from forkhttpd.census import Census
from forkhttpd.config import Config, Listen
from forkhttpd.scoreboard import Scoreboard, Slot


class Role(Enum):
    """What a child does for its life."""

    WORKER = "worker"
    SPAWNER = "spawner"
    MASTER = "master"  # a new one beside the old, in an upgrade: it inherits in its own way


@dataclass(frozen=True, slots=True)
class Door:
    """The way to a pool's spawner; both ends outlive any one spawner.

    A worker makes a channel and sends one end through `outside`; the spawner receives channels
    from `inside`.  While there is no spawner they wait in the socket's queue.
    """

    outside: socket.socket
    inside: socket.socket


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket, and what the configuration says of it."""

    socket: socket.socket
    listen: Listen


@dataclass(frozen=True, slots=True)
class Inheritance:
    """A child's whole estate.  Descriptors are open when the child starts and are its own.

    name: the pool's, for a spawner; "" for a worker;
    number: what the process calls itself, "worker 3";
    lifeline: read end of a pipe that only the master holds for writing: it hangs up when the
      master is gone, however it went;
    bell: an eventfd that wakes the master after a change of this child's slot (READY);
    control: a channel from the master, for messages with descriptors (new log files);
    access_log, error_log: descriptors to append to, -1 when off;
    tls: what listeners that speak TLS do it with, certificates and keys included; for workers.
    """

    role: Role
    name: str
    number: int
    generation: int
    config: Config
    slot: Slot
    scoreboard: Scoreboard
    census: Census
    lifeline: int
    bell: int
    control: socket.socket
    listeners: tuple[Listening, ...]
    doors: Mapping[str, Door]
    access_log: int
    error_log: int
    tls: ssl.SSLContext | None = None


# Turns the calling process, fresh from fork, into the child: never returns, leaves by os._exit.
Program = Callable[[Inheritance], NoReturn]

# The messages of the control channel.
# REOPEN: the descriptors that come with it replace the logs, access first, error second.
# SERVE: for workers: the generation serves from now on, so accept connections.  Before that nobody
# may: a generation that is refused in the end must not have answered anyone (M8).
REOPEN = b"reopen"
SERVE = b"serve"
