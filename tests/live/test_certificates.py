"""Certificates and keys: read once, by the master, for a generation; out of reach of others."""

import os
import re
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.live.client import Client, get
from tests.live.daemon import wait_for
from tests.live.masters import Masters
from tests.live.secure import CONFIG, Secure, secure
from tests.tls.authority import Pair, make_pair

USER = "nobody" if os.geteuid() == 0 else ""


def shown(site: Secure) -> bytes | None:
    """Return the certificate that a new client gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with site.connect(context=context) as connection:
        return connection.getpeercert(binary_form=True)


def await_shown(site: Secure, pair: Pair) -> None:
    """Wait for a certificate; an old worker may take a client for as long as it drains."""
    wait_for(lambda: shown(site) == der(pair), "the new certificate")


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def renew(site: Secure) -> Pair:
    """Make a new certificate and key in place of the old."""
    return make_pair(site.running.directory, "one", "one.example", "*.one.example")


@dataclass
class Visitors:
    """Threads that visit again and again, each time by a connection of their own."""

    site: Secure
    seen: set[bytes | None] = field(default_factory=set)
    visits: int = 0
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def visit(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not self.stop.is_set():
            try:
                with Client(self.site.connect(context=context)) as client:
                    first = client.ask(get("/"))
                    assert first.text == "one"
                    if first.fields.get("connection") != "close":
                        assert client.ask(get("/")).text == "one"
                    connection = client.connection
                    assert isinstance(connection, ssl.SSLSocket)
                    self.seen.add(connection.getpeercert(binary_form=True))
                    self.visits += 1
            except Exception as error:
                self.failures.append(repr(error))


def test_M5_certificates_are_renewed_under_load_and_nobody_notices() -> None:
    with secure(user=USER) as site:
        expected = {der(site.one)}
        visitors = Visitors(site)
        threads = [threading.Thread(target=visitors.visit) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                before = visitors.visits
                wait_for(lambda before=before: visitors.visits > before + 5, "visits")  # type: ignore[misc]
                expected.add(der(renew(site)))
                assert site.running.reload()
                newest = der(site.one)
                wait_for(lambda newest=newest: newest in visitors.seen, "the new one")  # type: ignore[misc]
        finally:
            visitors.stop.set()
            for thread in threads:
                thread.join()
        assert visitors.failures == []
        assert visitors.seen == expected


def test_M8_a_certificate_that_is_of_no_use_changes_nothing() -> None:
    with secure() as site:
        served = der(site.one)
        before = site.one.key.read_bytes()
        site.one.key.write_bytes(site.two.key.read_bytes())
        assert not site.running.reload()
        line = CONFIG.splitlines().index('key = "one.key"') + 1
        where = rf"refused, nothing changed: \S+forkhttpd.conf:{line}: \[site\] key: the key in \S+"
        assert re.search(rf"{where}one.key is not that of the certificate", site.running.log)
        tested = site.running.command("-t")
        assert (tested.returncode, "one.key is not that" in tested.stderr) == (78, True)
        assert shown(site) == served
        site.one.key.write_bytes(before)
        assert site.running.reload()


def test_a_worker_that_is_replaced_serves_what_its_siblings_serve() -> None:
    """Though the file has changed, and though the key is for root alone."""
    with secure(CONFIG.replace("workers = 2", "workers = 1"), user=USER) as site:
        served = der(site.one)
        renew(site)
        (worker,) = site.running.workers()
        worker.kill()
        wait_for(lambda: worker not in site.running.workers(), "the end of the worker")
        assert shown(site) == served
        assert site.running.reload()
        await_shown(site, site.one)


def test_M20_an_upgrade_takes_up_a_renewed_certificate_on_the_same_socket() -> None:
    with secure() as site:
        followed = Masters(site.running)
        try:
            with site.client() as client:
                assert client.ask(get("/")).text == "one"
                renew(site)
                followed.upgrade()
                assert client.ask(get("/")).text == "one"
            await_shown(site, site.one)
        finally:
            followed.end()


WHO = "#!/usr/bin/env python3\nimport os, time\nprint('Content-Type: text/plain\\n')\n"
WHO += "print('pid', os.getpid(), 'end', flush=True)\ntime.sleep(300)\n"


@pytest.mark.parametrize("warm", ["true", "false"])
def test_no_spawner_and_no_program_has_a_key_in_its_memory(warm: str) -> None:
    with secure(CONFIG + f"\n[pool.default]\nwarm = {warm}\n") as site:
        running, secret = site.running, scalar(site.one.key)
        running.script("who.py", WHO)
        workers, spawners = running.workers(), running.spawners()
        with site.connect() as connection:
            connection.sendall(get("/cgi-bin/who.py"))
            said = b""
            while b" end" not in said:
                said += connection.recv(1000)
            program = int(said.partition(b"pid ")[2].split()[0])
            assert [holds(one.pid, secret) for one in workers] == [True, True]
            assert [holds(one.pid, secret) for one in spawners] == [False]
            assert not holds(program, secret)


def scalar(key: Path) -> bytes:
    """Return the secret number of an EC key as OpenSSL holds it in memory: little-endian words."""
    text = subprocess.run(
        ["openssl", "pkey", "-in", key, "-noout", "-text"], capture_output=True, text=True
    ).stdout
    digits = text.partition("priv:")[2].partition("pub:")[0]
    return bytes.fromhex("".join(digits.split()).replace(":", ""))[-32:][::-1]


def holds(pid: int, secret: bytes) -> bool:
    """Whether it stands anywhere in the memory that a process can write to."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    areas = [line.split()[0].split("-") for line in maps if line.split()[1].startswith("rw")]
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for start, end in areas:
            memory.seek(int(start, 16))
            if secret in memory.read(int(end, 16) - int(start, 16)):
                return True
    return False


@pytest.mark.parametrize("before", ["tls = true", "tls = false"])
def test_M7_a_listener_whose_encryption_changes_keeps_its_socket(before: str) -> None:
    after = "tls = true" if before == "tls = false" else "tls = false"
    with secure(CONFIG.replace("redirect_to_https = 443", before)) as site:
        inodes = listening(site)
        assert len(inodes) == 2
        assert site.running.reload(CONFIG.replace("redirect_to_https = 443", after))
        assert listening(site) == inodes
        scheme = "https" if after == "tls = true" else "http"
        site.running.await_log(f"listening on {scheme}://127.0.0.2:")


def listening(site: Secure) -> set[str]:
    """Return the inodes of the master's listening sockets."""
    master = psutil.Process(site.running.process.pid)
    found = [one for one in master.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    return {os.readlink(f"/proc/{master.pid}/fd/{one.fd}") for one in found}
