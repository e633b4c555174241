"""Who is told what is wrong with a program, and in which words (C13, C16, O8, O9)."""

import os
import re
import subprocess

import pytest

from tests.live.daemon import DEADLINE, SITE, Daemon, daemon


@pytest.mark.parametrize(
    ("content", "mode", "status", "words"),
    [
        ("#!/bin/sh\n", 0o644, 403, "is not executable; run: chmod +x"),
        ("#!/usr/bin/pyton3\n", 0o755, 502, "needs /usr/bin/pyton3, which does not exist"),
        ("#!/bin/sh\r\necho\r\n", 0o755, 502, "has Windows line ends"),
        ("print('hello')\n", 0o755, 502, "names no interpreter"),
        ("#!/bin/sh\nexit 3\n", 0o755, 502, "exited with 3 without any output"),
        ("#!/bin/sh\nkill -9 $$\n", 0o755, 502, "was killed by signal 9 without any output"),
        ("#!/bin/sh\necho hello\n", 0o755, 502, "before its header was complete"),
        ("#!/bin/sh\nprintf 'hello\\n\\n'\n", 0o755, 502, "not a header line: 'hello'"),
        ("#!/bin/sh\nprintf 'X-A: b\\n\\n'\n", 0o755, 502, "none of Content-Type"),
        ("#!/bin/sh\nprintf 'Status: good\\n\\n'\n", 0o755, 502, "not a status"),
    ],
)
def test_C16_each_usual_mistake_has_its_line(
    cgi: Daemon, content: str, mode: int, status: int, words: str
) -> None:
    cgi.script("mistake", content, mode=mode)
    reply = cgi.get("/cgi-bin/mistake")
    assert reply.status == status
    assert "mistake" not in reply.text
    unique = re.search(r"request ([\w-]+)", reply.text)
    assert unique is not None
    cgi.await_log(unique[1])
    line = next(line for line in cgi.log.splitlines() if unique[1] in line)
    assert words in line
    assert f"{cgi.directory}/cgi-bin/mistake" in line


def test_C13_stderr_is_logged_by_lines_with_request_script_and_pid(cgi: Daemon) -> None:
    cgi.script(
        "complain.sh",
        '#!/bin/sh\necho "Content-Type: text/plain\n\n$UNIQUE_ID $$"\n'
        "printf 'one\\ntwo \\033[31m\\nthree' >&2\n",
    )
    unique, pid = cgi.get("/cgi-bin/complain.sh").text.split()
    prefix = f"{unique}: {cgi.directory}/cgi-bin/complain.sh[{pid}]: "
    cgi.await_log(prefix + "three")
    assert prefix + "one\n" in cgi.log
    assert prefix + r"two \x1b[31m" + "\n" in cgi.log


# On a page.

BROKEN = """\
#!/bin/sh
echo '<b>complaint</b>' >&2
printf 'Content-Type: text/html\\nno header line\\n\\n'
exit 4
"""


def test_O9_a_client_on_this_machine_is_told_what_is_wrong() -> None:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true")) as running:
        running.script("broken.sh", BROKEN)
        reply = running.get("/cgi-bin/broken.sh")
        assert reply.status == 502
        assert "not a header line: &#x27;no header line&#x27;" in reply.text
        assert "&lt;b&gt;complaint&lt;/b&gt;" in reply.text
        assert re.search(r"request [\w-]+", reply.text)
        running.script("dead.sh", "#!/bin/sh\necho oh >&2\nkill -9 $$\n")
        dead = running.get("/cgi-bin/dead.sh").text
        assert "It was killed by signal 9." in dead
        assert "oh" in dead
        running.script("plain.sh", "#!/bin/sh\n", mode=0o644)
        assert "is not executable; run: chmod +x" in running.get("/cgi-bin/plain.sh").text
        assert "No such file" in running.get("/cgi-bin/none").text


@pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_O9_whoever_comes_through_a_proxy_is_told_nothing(field: str) -> None:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true")) as running:
        running.script("broken.sh", BROKEN)
        reply = running.ask("GET", "/cgi-bin/broken.sh", {field: "for=192.0.2.1"})
        assert reply.status == 502
        assert "complaint" not in reply.text
        assert "header line" not in reply.text


def test_O9_a_page_of_others_is_told_nothing() -> None:
    with daemon(SITE.replace("[[site]]", "[[site]]\ndebug = true")) as running:
        running.script("broken.sh", BROKEN)
        reply = running.get("/cgi-bin/broken.sh", host="rebound.example")
        assert reply.status == 502
        assert "complaint" not in reply.text
        assert "header line" not in reply.text


def test_O9_without_debug_nobody_is_told(served: Daemon) -> None:
    served.script("broken.sh", BROKEN)
    text = served.get("/cgi-bin/broken.sh").text
    assert "complaint" not in text
    assert "header line" not in text
    assert re.search(r"request [\w-]+", text)


# Before a request is made.


def test_C16_a_link_that_leads_out_is_refused_and_named(served: Daemon) -> None:
    served.write("outside.sh", "#!/bin/sh\n", mode=0o755)
    (served.directory / "cgi-bin/leads-out.sh").symlink_to("../outside.sh")
    assert served.get("/cgi-bin/leads-out.sh").status == 403
    served.await_log("leads-out.sh is a link that leads out of")


def test_C16_t_tells_each_usual_mistake(served: Daemon) -> None:
    with daemon(start=False) as running:
        running.script("fine.sh", "#!/bin/sh\n")
        running.script("fine", b"\x7fELF....".decode())
        running.script("README", "nothing to run", mode=0o644)
        running.script(".hidden.sh", "#!/nowhere", mode=0o644)
        running.script("mode.sh", "#!/bin/sh\n", mode=0o644)
        running.script("crlf.sh", "#!/bin/sh\r\necho\r\n")
        running.script("deep/typo.py", "#!/usr/bin/pyton3\n")
        running.script("env.py", "#!/usr/bin/env pyton3\n")
        running.script("bare.py", "print()\n")
        running.write("outside.sh", "#!/bin/sh\n", mode=0o755)
        (running.directory / "cgi-bin/link.sh").symlink_to("../outside.sh")
        newest = running.write("python/bin/python3.13", "", mode=0o755)
        running.script("old.py", f"#!{newest}\nimport os, cgi\n")
        running.script("setuid", b"\x7fELF....".decode(), mode=0o4755)
        running.script("traceback.py", f"#!{newest}\nimport cgitb; cgitb.enable()\n")
        running.script("beside/old.py", f"#!{newest}\nimport cgi\n")
        running.script("beside/cgi.py", "", mode=0o644)
        done = running.command("-t")
        told = [line for line in done.stderr.splitlines() if "cgi-bin" in line]
    assert done.returncode == 0
    assert all(re.match(r".*forkhttpd\.conf:\d+: warning: \[site\.mount\] cgi: ", w) for w in told)
    for name, words in {
        "mode.sh": "is not executable; run: chmod +x",
        "crlf.sh": "has Windows line ends",
        "deep/typo.py": "needs /usr/bin/pyton3, which does not exist",
        "env.py": 'needs "pyton3", which is not in search_path',
        "bare.py": "names no interpreter",
        "link.sh": "is a link that leads out of",
        "cgi-bin/old.py": "imports cgi, which its Python does not have any more",
        "setuid": "is setuid, which no_new_privileges of its pool makes nothing of; give it a pool",
        "traceback.py": "imports cgitb, which its Python does not have any more",
    }.items():
        assert [line for line in told if f"/{name}" in line and words in line], (name, told)
    assert len(told) == 9


def test_C16_t_warns_of_a_php_that_prints_no_header() -> None:
    php = 'cgi = "cgi-bin"\nsuffix = [".php"]\ninterpreter = "php8.2"\n'
    with daemon(SITE.replace('cgi = "cgi-bin"\n', php), start=False) as running:
        running.write("php8.2", "#!/bin/sh\n", mode=0o755)
        told = running.command("-t").stderr
    assert re.search(r"interpreter: \S+/php8.2 is PHP for the shell, .*php-cgi", told)


def test_C16_t_says_nothing_of_a_setuid_program_that_may_be_so() -> None:
    """One that runs as its owner, or in a pool that lets it gain what it is to gain."""
    config = SITE + "\n[pool.default]\nno_new_privileges = false\n"
    owner = f'\n[pool.default]\nuser = "{os.geteuid()}"\n'
    with daemon(config, start=False) as running:
        running.script("setuid", b"\x7fELF....".decode(), mode=0o4755)
        assert "setuid" not in running.command("-t").stderr
        running.configure(SITE + owner)
        assert "is setuid" not in running.command("-t").stderr


def test_C14_t_warns_where_pools_share_the_user_whose_processes_are_counted() -> None:
    config = SITE + "\n[pool.a]\nuser_processes = 100\n\n[pool.b]\n"
    with daemon(config, start=False) as running:
        told = running.command("-t").stderr
        assert "[pool.a] user_processes: the kernel counts by user" in told
        assert "[pool.b]" not in told


def test_O8_explain_tells_what_a_request_would_meet(served: Daemon) -> None:
    def explain(url: str) -> subprocess.CompletedProcess[str]:
        command = [*served._command()[:3], "explain", url, "-c", str(served.config)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=DEADLINE
        )

    served.script("here.sh", "#!/bin/sh\n")
    served.script("mode.sh", "#!/bin/sh\n", mode=0o644)
    served.write("www/page.html", "page")
    text = explain("http://example.org/cgi-bin/here.sh/a%20b?x=1").stdout
    for words in (
        "/cgi-bin/ (",
        f"program     {served.directory}/cgi-bin/here.sh",
        "first_byte 1m",
        "PATH_INFO=/a b\n",
        "QUERY_STRING=x=1\n",
        "SERVER_NAME=example.org\n",
    ):
        assert words in text
    assert "answer      403: " in explain("/cgi-bin/mode.sh").stdout
    assert "is not executable; run: chmod +x" in explain("/cgi-bin/mode.sh").stdout
    assert "answer      404: " in explain("/cgi-bin/none").stdout
    assert "answer      404: " in explain("/none").stdout
    page = explain("localhost/page.html").stdout
    assert f"file        {served.directory}/www/page.html" in page
    assert "answer      200 OK" in page
    assert "Content-Type: text/html" in page
    wrong = explain("/../x")
    assert (wrong.returncode, wrong.stdout) == (64, "")
