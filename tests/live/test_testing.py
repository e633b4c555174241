"""`forkhttpd.testing`: a server for other people's tests, of which nothing is left."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from forkhttpd.testing import NotServed, serve
from tests.live.daemon import DEADLINE, await_end, is_alive, wait_for

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "hello.txt").write_text("hello")
    (tmp_path / "cgi-bin").mkdir()
    script = tmp_path / "cgi-bin/say.py"
    script.write_text(
        "import os, sys\n"
        "print('said', file=sys.stderr)\n"
        "print('Content-Type: text/plain\\n')\n"
        "print(os.environ['QUERY_STRING'])\n"
    )
    return tmp_path


def get(url: str) -> str:
    with urlopen(url, timeout=DEADLINE) as answer:
        return str(answer.read().decode())


def test_serves_files_and_programs_and_leaves_nothing(directory: Path) -> None:
    files, fds = sorted(directory.rglob("*")), os.listdir("/proc/self/fd")
    with serve(directory, cgi=True) as server:
        family = psutil.Process(server.pid).children(recursive=True)
        assert len(family) == 2  # a worker and a spawner
        assert get(f"{server.url}hello.txt") == "hello"
        assert get(f"{server.url}cgi-bin/say.py?a=b") == "a=b\n"
        wait_for(lambda: re.search(r"say\.py\[\d+\]: said", server.log), "the complaint")
        wait_for(lambda: " 200 GET /hello.txt  5 bytes, " in server.log, "the request's line")
    assert not any(map(is_alive, family))
    assert not psutil.pid_exists(server.pid)
    assert sorted(directory.rglob("*")) == files
    assert os.listdir("/proc/self/fd") == fds


def test_several_at_once_each_with_a_port_of_its_own(directory: Path) -> None:
    with serve(directory) as one, serve(str(directory / "cgi-bin")) as other:
        assert one.url != other.url
        assert get(f"{one.url}hello.txt") == "hello"
        assert "import os" in get(f"{other.url}say.py")  # without cgi a file is a file


def test_a_test_that_fails_inside_leaves_nothing_either(directory: Path) -> None:
    with pytest.raises(ZeroDivisionError), serve(directory, cgi=True) as server:
        raise ZeroDivisionError
    assert not psutil.pid_exists(server.pid)


def test_a_test_process_that_is_killed_leaves_nothing_either(directory: Path) -> None:
    program = (
        "import sys, time\n"
        "from forkhttpd.testing import serve\n"
        "with serve(sys.argv[1], cgi=True) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    time.sleep(300)\n"
    )
    command = [sys.executable, "-c", program, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        server = psutil.Process(int(tests.stdout.readline()))
        family = [server, *server.children(recursive=True)]
        assert len(family) == 3
        tests.kill()
    await_end(family)


def test_what_cannot_be_served_is_an_error_that_says_why(tmp_path: Path) -> None:
    fds = os.listdir("/proc/self/fd")
    with (
        pytest.raises(NotServed, match="none: No such file or directory"),
        serve(tmp_path / "none"),
    ):
        pass
    assert os.listdir("/proc/self/fd") == fds


def test_works_from_a_thread(directory: Path) -> None:
    """Test runners use threads; no signal handler and no process-wide state is touched."""
    answers: list[str] = []

    def ask() -> None:
        with serve(directory) as server:
            answers.append(get(f"{server.url}hello.txt"))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(DEADLINE)
    assert answers == ["hello"]


def test_importing_it_imports_nothing_of_the_daemon() -> None:
    program = "import sys, forkhttpd.testing; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert {name for name in modules if name.startswith("forkhttpd.")} == {"forkhttpd.testing"}
    assert not modules & {"pydantic", "httptools", "psutil", "daemon"}


def test_the_fixture_of_the_readme_works(directory: Path) -> None:
    section = README.partition("## In a test suite")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    test = directory / "test_example.py"
    test.write_text(
        f"{example}\n\n"
        "def test_it(server, tmp_path):\n"
        "    from urllib.request import urlopen\n"
        "    (tmp_path / 'a').write_text('b')\n"
        "    assert urlopen(f'{server.url}a').read() == b'b'\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    assert done.returncode == 0, done.stdout
