"""Kernel TLS in the real daemon: said at the start, and files by it; test_tls.py has the rest."""

import os
import signal
import ssl
import sys

import pytest

from tests.live.client import get
from tests.live.secure import CONFIG, secure

SWITCHED_OFF = CONFIG + "\n[tls]\nkernel = false\n"
SWITCHED_ON = CONFIG + "\n[tls]\nkernel = true\n"
USED = "; kernel TLS is used, and sendfile with it"
LARGE = os.urandom(4 << 20)


def test_the_log_says_whether_it_is_used_and_a_reload_changes_that() -> None:
    with secure(SWITCHED_OFF) as site:
        site.running.await_log("; kernel TLS is not used: [tls] kernel = false")
        site.running.configure(SWITCHED_ON)
        site.running.send_signal(signal.SIGHUP)
        if not hasattr(ssl, "OP_ENABLE_KTLS"):
            assert sys.version_info < (3, 12)
            site.running.await_log("; kernel TLS is not used: it takes Python 3.12")
        else:
            site.running.await_log("; kernel TLS is ", count=2)


def test_a_file_is_encrypted_by_the_kernel() -> None:
    with secure(SWITCHED_ON) as site:
        if USED not in site.running.log:
            pytest.skip(site.running.log.partition("kernel TLS ")[2].partition("\n")[0])
        site.running.write("www/large", LARGE)
        with site.client() as client:
            for _ in range(2):
                assert client.ask(get("/")).text == "one"
                assert client.ask(get("/large")).body == LARGE
            part = client.ask(get("/large", "Range: bytes=1000-2000000"))
            assert part.body == LARGE[1000:2000001]
