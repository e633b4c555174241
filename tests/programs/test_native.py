"""A shell script and a compiled program, as people have written them since CGI is there (C18)."""

import hashlib
import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.live.daemon import Daemon
from tests.programs.curl import curl
from tests.programs.peers import need

# Sends the directory of documents as an archive, piece by piece, without knowing its length.
ARCHIVE = """\
#!/bin/sh
set -eu
case ${PATH_INFO-} in
*.tar) ;;
*)
    printf 'Status: 404 Not Found\\nContent-Type: text/plain\\n\\n'
    echo "ask for $SCRIPT_NAME/something.tar"
    exit
    ;;
esac
printf 'Content-Type: application/x-tar\\n'
printf 'Content-Disposition: attachment; filename="%s"\\n\\n' "${PATH_INFO#/}"
exec tar -cf - -C "$DOCUMENT_ROOT" .
"""

# Sends back what it was sent, the last byte first, and says beforehand how much that is.
MIRROR = r"""
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    const char *length = getenv("CONTENT_LENGTH");
    size_t size = length ? strtoul(length, NULL, 10) : 0;
    char *body = malloc(size + 1);

    if (body == NULL || fread(body, 1, size + 1, stdin) != size)
        return 1;
    printf("Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", size);
    while (size > 0)
        putchar(body[--size]);
    return 0;
}
"""


def test_C18_shell_script(served: Daemon) -> None:
    served.script("archive.sh", ARCHIVE)
    content = os.urandom(3 << 20)
    served.write("www/large", content)
    served.write("www/small", "small")
    url = f"http://127.0.0.1:{served.port}/cgi-bin/archive.sh"
    reply = curl(f"{url}/all%20of%20it.tar")
    assert reply.fields["content-disposition"] == 'attachment; filename="all of it.tar"'
    with tarfile.open(fileobj=BytesIO(reply.body)) as archive:
        large = archive.extractfile("./large")
        assert large is not None
        assert large.read() == content
        assert "./small" in archive.getnames()
    missing = curl(url)
    assert (missing.status, missing.text) == (
        404,
        "ask for /cgi-bin/archive.sh/something.tar\n",
    )
    head = curl(f"{url}/all.tar", "--head")
    assert (head.status, head.fields["content-type"]) == (200, "application/x-tar")


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled program."""
    compiler = need("cc", package="gcc")
    need("/usr/include/stdio.h", package="libc6-dev")
    program = tmp_path_factory.mktemp("compiled") / "mirror"
    source = program.with_suffix(".c")
    source.write_text(MIRROR)
    subprocess.run([compiler, "-O", "-Wall", "-Werror", "-o", program, source], check=True)
    return program


def test_C18_compiled_program(served: Daemon, mirror: Path, tmp_path: Path) -> None:
    served.write("cgi-bin/mirror", mirror.read_bytes(), mode=0o755)
    url = f"http://127.0.0.1:{served.port}/cgi-bin/mirror"
    body = tmp_path / "body"
    body.write_bytes(os.urandom(5_000_001))
    wanted = hashlib.sha256(body.read_bytes()[::-1]).hexdigest()
    for framing in ((), ("-H", "Transfer-Encoding: chunked")):
        reply = curl(url, "--data-binary", f"@{body}", *framing)
        assert reply.fields["content-length"] == "5000001"
        assert hashlib.sha256(reply.body).hexdigest() == wanted
    assert curl(url).body == b""
