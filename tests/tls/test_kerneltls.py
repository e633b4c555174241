"""Whether the kernel encrypts: what is found out is true, and has a reason."""

import socket
import ssl
from pathlib import Path

import pytest

from forkhttpd import kerneltls
from tests.tls.authority import make_pair


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    pair = make_pair(tmp_path, "one", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def kernel_offers_it() -> bool:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, 31, b"tls")  # TCP_ULP
        except OSError:
            return False
    return True


def test_it_is_used_or_there_is_a_reason(context: ssl.SSLContext) -> None:
    obstacle = kerneltls.use_kernel(context, wanted=True)
    assert kerneltls.is_used(context) == (obstacle == "")
    if not hasattr(ssl, "OP_ENABLE_KTLS"):
        assert obstacle == "it takes Python 3.12 and OpenSSL 3"
    elif not kernel_offers_it():
        assert obstacle == "the kernel has no module for it (modprobe tls)"


def test_who_does_not_want_it_does_not_get_it(context: ssl.SSLContext) -> None:
    context.options |= getattr(ssl, "OP_ENABLE_KTLS", 0)  # as openssl.cnf may have it
    assert kerneltls.use_kernel(context, wanted=False) == "[tls] kernel = false"
    assert not kerneltls.is_used(context)
    assert not kerneltls.is_used(None)


def test_a_handshake_without_the_option_leaves_the_kernel_without_a_key(
    context: ssl.SSLContext,
) -> None:
    context.options &= ~getattr(ssl, "OP_ENABLE_KTLS", 0)
    assert not kerneltls._is_kernel_used(context)


def test_the_handshake_that_proves_it_is_a_whole_one(context: ssl.SSLContext) -> None:
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with kerneltls._connection() as (ours, theirs):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        with (
            context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False) as end,
            client.wrap_socket(theirs, do_handshake_on_connect=False) as other,
        ):
            kerneltls._shake_hands([other, end])
            assert end.version() == other.version() == "TLSv1.3"
    assert names == [None]
