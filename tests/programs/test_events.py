"""Server-sent events from a script, as Chromium's own EventSource gets them (C10, C12, C18)."""

from collections.abc import Iterator

import psutil
import pytest

from tests.browser.webdriver import Browser
from tests.live.daemon import Daemon, wait_for

# Each event waits for a file of its number; after the third the script ends, and a browser that
# comes again, with the number of what it has seen last, gets what follows.
EVENTS = """\
#!/usr/bin/env python3
import os, time
print("Content-Type: text/event-stream\\nCache-Control: no-store\\n")
print("retry: 50\\n", flush=True)
first = int(os.environ.get("HTTP_LAST_EVENT_ID", "0")) + 1
for number in range(first, first + 3):
    while not os.path.exists(f"{os.environ['DOCUMENT_ROOT']}/go{number}"):
        time.sleep(0.01)
    print(f"id: {number}\\nevent: tick\\ndata: {os.getpid()} {number}\\n", flush=True)
"""

PAGE = """\
<!doctype html><title>Events</title>
<script>
window.seen = [];
const source = new EventSource("/cgi-bin/events.py");
source.addEventListener("tick", event => seen.push(event.data));
</script>
"""


@pytest.fixture
def stream(served: Daemon, visitor: Browser) -> Iterator[Daemon]:
    """A page that listens to a script, in a tab of its own: the window's `tab`."""
    served.script("events.py", EVENTS)
    served.write("www/events.html", PAGE)
    for number in range(1, 7):
        (served.directory / "www" / f"go{number}").unlink(missing_ok=True)
    visitor.open(f"http://127.0.0.1:{served.port}/")
    visitor.run("window.tab = open('/events.html')")
    yield served
    visitor.run("tab.close()")


def seen(visitor: Browser, count: int) -> list[tuple[int, int]]:
    """Wait for a number of events; return of each which process sent it, and its number."""

    def events() -> list[str]:
        found: list[str] = visitor.run("return tab.seen || []")  # not yet while it is loaded
        return found if len(found) >= count else []

    return [
        (int(pid), int(number))
        for pid, number in map(str.split, wait_for(events, f"{count} events"))
    ]


def test_C10_C18_each_event_arrives_before_the_next_is_there(
    stream: Daemon, visitor: Browser
) -> None:
    for number in (1, 2):
        stream.write(f"www/go{number}", "")
        events = seen(visitor, number)
        assert [event[1] for event in events] == list(range(1, number + 1))
    assert len({pid for pid, _ in events}) == 1, "one script has sent them"
    assert psutil.pid_exists(events[0][0]), "and has not ended to do so"


def test_C18_a_browser_comes_again_where_it_has_been(stream: Daemon, visitor: Browser) -> None:
    for number in range(1, 6):
        stream.write(f"www/go{number}", "")
    events = seen(visitor, 5)
    assert [number for _, number in events] == [1, 2, 3, 4, 5]
    assert len({pid for pid, _ in events}) == 2


def test_C12_C18_who_closes_the_tab_ends_the_script(stream: Daemon, visitor: Browser) -> None:
    stream.write("www/go1", "")
    ((pid, _),) = seen(visitor, 1)
    script = psutil.Process(pid)
    visitor.run("tab.close()")
    wait_for(lambda: not script.is_running(), "the end of the script")
