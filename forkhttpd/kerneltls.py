"""Whether this Python, this OpenSSL and this kernel go together so far that the kernel encrypts.

It is tried, once per generation and by the master: a connection of our own to ourselves shakes
hands, and then the kernel is asked whether it has the key.  When the master is root, that also
loads the kernel's module.
"""

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from forkhttpd.errors import describe

_TCP_ULP = 31  # linux/tcp.h: what is put on top of TCP
_SOL_TLS, _TLS_TX = 282, 1  # linux/socket.h and linux/tls.h
_CRYPTO_INFO_SIZE = 4  # bytes of struct tls_crypto_info: version and cipher, without the key
_ROUNDS = 20  # flights of a handshake, and wake-ups for nothing
_PATIENCE = 100  # milliseconds for each, over the loopback interface

_OPTION: int = getattr(ssl, "OP_ENABLE_KTLS", 0)  # Python 3.12 with OpenSSL 3


def use_kernel(context: ssl.SSLContext, *, wanted: bool) -> str:
    """Have the kernel encrypt for a server's context; return what is in the way, "" if nothing."""
    context.options &= ~_OPTION  # openssl.cnf may have set it
    if not wanted:
        return "[tls] kernel = false"
    if not _OPTION:
        return "it takes Python 3.12 and OpenSSL 3"
    try:
        with _connection() as (ours, _):
            ours.setsockopt(socket.IPPROTO_TCP, _TCP_ULP, b"tls")
    except FileNotFoundError:
        return "the kernel has no module for it (modprobe tls)"
    except OSError as error:
        return f"the kernel refuses it: {describe(error)}"
    context.options |= _OPTION
    if _is_kernel_used(context):
        return ""
    context.options &= ~_OPTION
    return f"{ssl.OPENSSL_VERSION} does not use it"


def is_used(context: ssl.SSLContext | None) -> bool:
    """Whether the kernel encrypts for a context."""
    return context is not None and bool(context.options & _OPTION)


@contextmanager
def _connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        with theirs:
            ours, _ = listener.accept()
            with ours:
                ours.setblocking(False)
                theirs.setblocking(False)
                yield ours, theirs


def _is_kernel_used(server: ssl.SSLContext) -> bool:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    try:
        with (
            _connection() as (ours, theirs),
            server.wrap_socket(ours, server_side=True, do_handshake_on_connect=False) as end,
            client.wrap_socket(theirs, do_handshake_on_connect=False) as other,
        ):
            _shake_hands([other, end])
            return bool(end.getsockopt(_SOL_TLS, _TLS_TX, _CRYPTO_INFO_SIZE))
    except OSError:  # of OpenSSL, or ENOPROTOOPT, EBUSY
        return False


def _shake_hands(ends: list[ssl.SSLSocket]) -> None:
    """Let two ends agree, or not in time.  Raises OSError."""
    arrival = select.poll()
    for end in ends:
        arrival.register(end, select.POLLIN)
    waiting = ends
    for _ in range(_ROUNDS):
        waiting = [end for end in waiting if not _has_agreed(end)]
        if not waiting:
            return
        arrival.poll(_PATIENCE)


def _has_agreed(end: ssl.SSLSocket) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
