"""Broken configurations, and every line that the operator gets to read about each (O2).

The lines LISTEN and SITE stand for the two halves of a right file (`tests.config.files`), and WHOLE
for both; after them the text goes on inside the mount of SITE, which has lines 3 to 5 of WHOLE.
"""
# ruff: noqa: E501

from pathlib import Path

import pytest

from tests.config.files import LISTEN, SITE, problems_of, write

BROKEN = r"""
# an empty file
=> 1: [listen]: missing; write [[listen]] with address = "127.0.0.1:8000"
=> 1: [site]: missing; write [[site]] with a [[site.mount]]

# no listener
SITE
=> 1: [listen]: missing; write [[listen]] with address = "127.0.0.1:8000"

# no mount
LISTEN
[[site]]
=> 3: [site.mount]: missing; write [[site.mount]] with docroot = "DIRECTORY" or cgi = "DIRECTORY or FILE"

# a table for a list of tables
[listen]
address = ":80"
SITE
=> 1: [listen]: one table, where there can be more; write [[listen]]

# a list for a table
WHOLE
[[log]]
=> 6: [log]: a list of tables, where there can be only one; write [log]

# a value for a table
log = "stdout"
WHOLE
=> 1: [log]: not a table; write [log]

# a value for a list of tables
listen = "127.0.0.1:80"
SITE
=> 1: [listen]: not a table; write [[listen]]

# an empty list of tables
listen = []
SITE
=> 1: [listen]: empty; write [[listen]] with address = "127.0.0.1:8000"

# a pool without its name
WHOLE
[pool]
processes = 3
=> 7: [pool.processes]: a pool's keys stand under its name; write them below [pool.default]

# a pool that is no table
WHOLE
[pool]
fast = 3
=> 7: [pool.fast]: not a table; write [pool.NAME]

# a pool's name
WHOLE
[pool."a b"]
=> 6: [pool.a b]: not a pool's name; write up to 32 of A-Z, a-z, 0-9, "_", "." and "-"

# a misspelled key
WHOLE
lisitng = true
=> 6: [site.mount] lisitng: unknown key; did you mean "listing"?

# a misspelled key that has to be there
[[listen]]
adress = ":80"
SITE
=> 2: [listen] adress: unknown key; did you mean "address"?

# a misspelled table
[[lisen]]
address = ":80"
SITE
=> 1: lisen: unknown table; did you mean [[listen]]?

# an unknown table
WHOLE
[ssl]
certificate = "x"
=> 6: ssl: unknown table; known: [[listen]], [tls], [log], [timeouts], [limits], [pool.NAME], [[site]], [[site.mount]]

# a table without the one that it is in
WHOLE
[[mount]]
docroot = "www"
=> 6: mount: unknown table; did you mean [[site.mount]]?

# an unknown key
WHOLE
[timeouts]
keepalive = "5s"
=> 7: [timeouts] keepalive: unknown key; known here: handshake, header, body, write, idle, graceful, lame_duck, start, heartbeat

# a key of the top in a table
WHOLE
workers = 2
=> 6: [site.mount] workers: unknown key; it belongs to the top of the file, before the first [table]

# a key of another table
idle = "5s"
WHOLE
=> 1: idle: unknown key; it belongs to [timeouts]

# a key of two other tables
header = "5s"
WHOLE
=> 1: header: unknown key; it belongs to [timeouts] or [limits]

# no workers
workers = 0
WHOLE
=> 1: workers: not a number of workers; write "auto", a number from 1 to 200, or { min = 1, max = 8 }

# workers in words
workers = "many"
WHOLE
=> 1: workers: not a number of workers; write "auto", a number from 1 to 200, or { min = 1, max = 8 }

# workers from more to fewer
workers = { min = 8, max = 2 }
WHOLE
=> 1: workers: min is more than max; write { min = 2, max = 8 }

# workers without a bound
workers = { min = 2 }
WHOLE
=> 1: workers: min and max are numbers from 1 to 200; write both

# workers with a word of their own
workers = { min = 2, max = 4, grow = true }
WHOLE
=> 1: workers: "grow" is unknown here; write { min = 1, max = 8 }

# workers with no time to shrink
workers = { min = 2, max = 4, shrink = "0s" }
WHOLE
=> 1: workers: no time at all; write a duration longer than "0s", as in "30s"

# too small a number
LISTEN
backlog = 0
SITE
=> 3: [listen] backlog: too small; write at least 1

# too large a number
LISTEN
backlog = 9999999999
SITE
=> 3: [listen] backlog: too large; write at most 2147483647

# a number in quotes
LISTEN
backlog = "10"
SITE
=> 3: [listen] backlog: not a whole number; write one like backlog = 1024

# a number with a fraction
WHOLE
[pool.default]
queue = 1.5
=> 7: [pool.default] queue: not a whole number; write one like queue = 128

# a number for a text
user = 33
WHOLE
=> 1: user: not a text; write it in quotes, as in "33"

# a number for a flag
WHOLE
listing = 1
=> 6: [site.mount] listing: not true or false; write one of them, without quotes

# a flag in quotes
WHOLE
listing = "yes"
=> 6: [site.mount] listing: not true or false; write one of them, without quotes

# a duration without unit
WHOLE
[timeouts]
idle = 30
=> 7: [timeouts] idle: not a duration; write a number and its unit, as in "30s" or "5m"

# a duration in words
WHOLE
[timeouts]
idle = "30 seconds"
=> 7: [timeouts] idle: not a duration; write a number and its unit, as in "30s" or "5m"

# a deadline of no time
WHOLE
[timeouts]
body = "0s"
=> 7: [timeouts] body: no time at all; write a duration longer than "0s", as in "30s"

# an endless duration
WHOLE
[timeouts]
body = "900d"
=> 7: [timeouts] body: too long; write at most "365d"

# a size with a wrong unit
WHOLE
[limits]
body = "8MB"
=> 7: [limits] body: not a size; write bytes or a number with K, M, G or T, as in "8M"

# a negative size
WHOLE
[limits]
body = -1
=> 7: [limits] body: not a size; write bytes or a number with K, M, G or T, as in "8M"

# an endless size
WHOLE
[limits]
body = "99999999T"
=> 7: [limits] body: too large; write at most "1048576T"

# a misspelled word
WHOLE
[log]
format = "combind"
=> 7: [log] format: "combind" is not known; did you mean "combined"?

# an unknown word
WHOLE
[log]
level = "loud"
=> 7: [log] level: "loud" is not known; write "debug", "info", "warning" or "error"

# a word of another type
WHOLE
[log]
level = 3
=> 7: [log] level: 3 is not known; write "debug", "info", "warning" or "error"

# a date for a word
WHOLE
[log]
level = 2026-11-28
=> 7: [log] level: "2026-11-28" is not known; write "debug", "info", "warning" or "error"

# a number for a program
WHOLE
[pool.default]
python = 3
=> 7: [pool.default] python: not a program; write a name or a path, as in "python3"

# a network after all of them
trusted_proxies = [
  "all",
  "10.0.0.1/8",
]
WHOLE
=> 3: trusted_proxies: an address inside a network; write "10.0.0.0/8" for the whole of it

# a log that is no file
WHOLE
[log]
access = "syslog"
=> 7: [log] access: none of "stdout", "stderr", "off"; write one of them, or "./syslog" for that file

# a list that is a text
WHOLE
index = "index.html"
=> 6: [site.mount] index: not a list; write index = ["index.html"]

# a list that is a number
WHOLE
index = 3
=> 6: [site.mount] index: not a list; write index = ["…"]

# an item of a list over several lines
WHOLE
index = [
  "a.html",
  "b/c.html",
]
=> 8: [site.mount] index: not a file's name; write one like "index.html"

# an environment that is no table
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
env = "A=1"
=> 6: [site.mount] env: not a table; write env = { NAME = "value" }

# a variable's name
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
env = { "A-B" = "1" }
=> 6: [site.mount] env.A-B: not a variable's name; write one like "GIT_ROOT"

# a variable's value
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
[site.mount.env]
A = 1
=> 7: [site.mount] env.A: not a text; write it in quotes, as in "1"

# a suffix without its dot
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
suffix = ["php"]
=> 6: [site.mount] suffix: not a suffix; write it with its dot, as in ".php"

# an address without port
[[listen]]
address = "127.0.0.1"
SITE
=> 2: [listen] address: no port; write one like "127.0.0.1:8000", "[::]:80" or "unix:/run/x.sock"

# an address with a name
[[listen]]
address = "localhost:80"
SITE
=> 2: [listen] address: "localhost" is not an IP address; write one like "127.0.0.1:8000" or "[::1]:8000"

# a Unix socket without path
[[listen]]
address = "unix:"
SITE
=> 2: [listen] address: not a socket's path, 1 to 107 bytes; write one like "unix:/run/x.sock"

# an address twice
LISTEN
LISTEN
SITE
=> 4: [listen] address: 127.0.0.1:8000 of line 2 listens there already; remove one

# an address that another includes
[[listen]]
address = ":8000"
WHOLE
=> 4: [listen] address: 0.0.0.0:8000 of line 2 listens there already; remove one

# an address twice, on ports that the kernel chooses
[[listen]]
address = "127.0.0.1:0"
[[listen]]
address = "127.0.0.1:0"
SITE
=> 4: [listen] address: line 2 has this address, too, and nobody could tell them apart; write a port, or another address

# all addresses, and one of them
[[listen]]
address = "*:8000"
WHOLE
=> 4: [listen] address: *:8000 of line 2 listens there already; remove one

# the rights of a file where there is none
LISTEN
mode = "660"
group = "adm"
SITE
=> 3: [listen] mode: means nothing but for a file, unix:/PATH; remove it
=> 4: [listen] group: means nothing but for a file, unix:/PATH; remove it

# rights that are no mode
[[listen]]
address = "unix:/run/x.sock"
mode = "rw"
SITE
=> 3: [listen] mode: not an octal mode; write one like "660"

# TLS without a certificate
LISTEN
tls = true
SITE
=> 3: [listen] tls: no site has a certificate; write certificate = "FILE.pem" in a [[site]]

# a certificate without TLS
LISTEN
[[site]]
certificate = "a.pem"
[[site.mount]]
docroot = "www"
=> 4: [site] certificate: no [[listen]] speaks TLS; write tls = true there, or remove this

# a key without a certificate
LISTEN
[[site]]
key = "a.pem"
[[site.mount]]
docroot = "www"
=> 4: [site] key: means nothing without a certificate; write that, too

# https that leads to https
LISTEN
tls = true
redirect_to_https = 443
[[site]]
certificate = "a.pem"
[[site.mount]]
docroot = "www"
=> 4: [listen] redirect_to_https: this listener is https itself; remove one

# an old version of TLS
WHOLE
[tls]
minimum_version = "1.1"
=> 7: [tls] minimum_version: "1.1" is not known; did you mean "1.3"?

# a field that would break a header
server = "a\r\nb"
WHOLE
=> 1: server: not a field's value; write printable ASCII

# an account
user = "a:b"
WHOLE
=> 1: user: not an account; write one like "www-data"

# a home directory
pid_file = "~/run/pid"
WHOLE
=> 1: pid_file: "~" stands for nobody here; write the whole path, or "./~" for the name

# a mask
WHOLE
[pool.default]
umask = "0800"
=> 7: [pool.default] umask: not an octal mask; write one like "022"

# a relative search path
WHOLE
[pool.default]
search_path = "/bin:."
=> 7: [pool.default] search_path: not a search path; write absolute directories with ":" between, as in "/usr/bin:/bin"

# a policy for links that is none
WHOLE
symlinks = "some"
=> 6: [site.mount] symlinks: "some" is not known; write "never", "owner", "inside" or "all"

# a field's name that is none
WHOLE
headers = { "X Y" = "a" }
=> 6: [site.mount] headers."X Y": not a field's name; write one like "Cache-Control"

# a field with a line end in it
WHOLE
headers = { X-A = "a\r\nSet-Cookie: b" }
=> 6: [site.mount] headers.X-A: not a field's value; write printable ASCII

# a field of the server's own
WHOLE
headers = { content-length = "5" }
=> 6: [site.mount] headers.content-length: the server writes this field itself; remove it

# headers that are no table
WHOLE
headers = ["Cache-Control: no-cache"]
=> 6: [site.mount] headers: not a table; write headers = { Cache-Control = "no-cache" }

# a field twice
WHOLE
headers = { X-A = "a", x-a = "b" }
=> 6: [site.mount] headers: "x-a" stands here twice; remove one

# two ways to say how long
WHOLE
headers = { cache-control = "no-cache" }
expires = "1d"
=> 7: [site.mount] expires: headers have "Cache-Control", which this writes; remove one of them

# a coding that nobody knows
WHOLE
precompressed = ["gz", "bz2"]
=> 6: [site.mount] precompressed: neither true, false nor a list of them: ["zst", "br", "gz"]

# a fallback that leads out
WHOLE
fallback = ["/../x", "x.html"]
=> 6: [site.mount] fallback: neither a file below the docroot, as in "/index.html", nor a suffix, as in ".html"
=> 6: [site.mount] fallback: neither a file below the docroot, as in "/index.html", nor a suffix, as in ".html"

# a charset that is none
WHOLE
charset = "utf 8"
=> 6: [site.mount] charset: not a charset; write one like "utf-8", or "" for none

# types that are none
types = { ".tar.gz" = "application/gzip", ".x" = "text" }
WHOLE
=> 1: types.".tar.gz": not a suffix; write it with its one dot, as in ".md"
=> 1: types.".x": not a media type; write one like "text/plain"

# an error page for what is no error
LISTEN
[[site]]
error_pages = { 200 = "ok.html", 404 = "" }
[[site.mount]]
docroot = "www"
=> 4: [site] error_pages.200: not the status of an error; write a number from 400 to 599
=> 4: [site] error_pages.404: not a path; write it in quotes, as in "/srv/files"

# redirects that lead nowhere, and to another host by mistake
LISTEN
[[site]]
[[site.mount]]
redirect = "new"
[[site.mount]]
path = "/b"
redirect = "//evil.example/"
[[site.mount]]
path = "/c"
redirect = "https://example.org/?a=b"
[[site.mount]]
path = "/d/"
redirect = "/d/"
=> 5: [site.mount] redirect: neither a path, as in "/new/", nor an address, as in "https://example.org/"
=> 8: [site.mount] redirect: neither a path, as in "/new/", nor an address, as in "https://example.org/"
=> 11: [site.mount] redirect: neither a path, as in "/new/", nor an address, as in "https://example.org/"
=> 12: [site.mount]: redirect leads to the mount itself; write where it has moved

# a status that does not redirect
LISTEN
[[site]]
[[site.mount]]
redirect = "/new/"
status = 303
=> 6: [site.mount] status: 303 is not known; write 301, 302, 307 or 308

# keys of files for a redirect
LISTEN
[[site]]
[[site.mount]]
redirect = "/new/"
listing = true
symlinks = "never"
=> 6: [site.mount] listing: means nothing in a mount with redirect; remove it
=> 7: [site.mount] symlinks: means nothing in a mount with redirect; remove it

# a mount of no kind
LISTEN
[[site]]
[[site.mount]]
path = "/"
=> 4: [site.mount]: a mount has one of docroot = "DIRECTORY", cgi = "DIRECTORY or FILE", redirect = "PATH or URL" and show = "status" and the like; write one of them

# a mount of two kinds
WHOLE
cgi = "x"
=> 4: [site.mount]: a mount has one of docroot = "DIRECTORY", cgi = "DIRECTORY or FILE", redirect = "PATH or URL" and show = "status" and the like; write one of them

# a key of programs for files
WHOLE
interpreter = "/bin/sh"
=> 6: [site.mount] interpreter: means nothing in a mount with docroot; remove it

# a key of files for programs
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
listing = true
=> 6: [site.mount] listing: means nothing in a mount with cgi; remove it

# a mount's path
WHOLE
path = "a/../b"
=> 6: [site.mount] path: not a path; it begins with "/" and has no "//", "." or ".." in it

# a mount twice
WHOLE
[[site.mount]]
path = "/a"
docroot = "a"
[[site.mount]]
path = "/a/"
cgi = "b"
=> 10: [site.mount] path: "/a/" is the mount of line 7 already; write another path

# two kinds of interpreters
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
interpreter = "/bin/sh"
interpreters = { ".py" = "/bin/sh" }
=> 4: [site.mount]: interpreter runs all scripts; remove it, or interpreters

# interpreters of nothing
WHOLE
interpreters = { "py" = "/bin/sh" }
=> 6: [site.mount] interpreters.py: not a suffix; write it with its one dot, as in ".md"
=> 6: [site.mount] interpreters: means nothing in a mount with docroot; remove it

# a suffix twice
WHOLE
[[site.mount]]
cgi = "a"
suffix = [".a", ".b"]
[[site.mount]]
cgi = "b"
suffix = [".b"]
=> 9: [site.mount] path: "/" .b is the mount of line 6 already; write another path

# a missing pool
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
pool = "alcie"
[pool.alice]
=> 6: [site.mount] pool: there is no pool "alcie"; did you mean "alice"?

# an unknown pool
LISTEN
[[site]]
[[site.mount]]
cgi = "x"
pool = "php"
=> 6: [site.mount] pool: there is no pool "php"; write [pool.php], or one of default

# a host with a port
LISTEN
[[site]]
names = ["a.org:80"]
[[site.mount]]
docroot = "x"
=> 4: [site] names: not a host name; write one like "example.org" or "*.example.org", without scheme, port or final dot

# a host that is not ASCII
LISTEN
[[site]]
names = ["bücher.example"]
[[site.mount]]
docroot = "x"
=> 4: [site] names: not ASCII; write "xn--bcher-kva.example"

# a host twice
WHOLE
[[site]]
names = ["a.org",
  "A.org"]
[[site.mount]]
docroot = "x"
=> 8: [site] names: "A.org" stands in line 7 already; remove one

# a second site without names
WHOLE
SITE
=> 6: [site] names: missing; only the first site takes all other names, so write the names of this

# several things at once
workers = -1
LISTEN
backlog = true
[[site]]
name = "a.org"
[[site.mount]]
path = "x"
pool = "p"
cgi = 3
[log]
format = "xml"
=> 1: workers: not a number of workers; write "auto", a number from 1 to 200, or { min = 1, max = 8 }
=> 4: [listen] backlog: not a whole number; write one like backlog = 1024
=> 6: [site] name: unknown key; did you mean "names"?
=> 8: [site.mount] path: not a path; it begins with "/" and has no "//", "." or ".." in it
=> 9: [site.mount] pool: there is no pool "p"; write [pool.p], or one of default
=> 10: [site.mount] cgi: not a path; write it in quotes, as in "/srv/www"
=> 12: [log] format: "xml" is not known; write "common", "combined", "combined-plus", "json" or "console"

# a key without value
WHOLE
index
=> 6:6: no value; write KEY = VALUE

# a text without quotes
WHOLE
index = x
=> 6:9: not a value; texts stand in quotes

# a text without its end
WHOLE
path = "/
=> 6:10: a text is not closed; write a quote after it

# a key twice
WHOLE
docroot = "x"
=> 6:14: this key or table stands here twice; remove one

# a table twice
WHOLE
[log]
[log]
=> 7:5: this table stands here twice; join them, or write [[…]] for one more

# a list without its end
WHOLE
index = ["a"
=> 6:13: a list is not closed; write "]" after its last value

# a header without its end
WHOLE
[log
=> 6:5: a table's header is not closed; write "]" after it

# something after the value
WHOLE
index = [] listing = true
=> 6:12: something stands after the value; write one KEY = VALUE a line, and texts in quotes
"""


def cases() -> list[object]:
    """Return text and expected problems of each block of BROKEN, by its title."""
    params: list[object] = []
    for block in BROKEN.strip().split("\n\n"):
        title, *lines = block.split("\n")
        expected = [line[3:] for line in lines if line.startswith("=> ")]
        text = "".join(f"{line}\n" for line in lines if not line.startswith("=> "))
        text = text.replace("WHOLE\n", "LISTEN\nSITE\n")
        text = text.replace("LISTEN\n", LISTEN).replace("SITE\n", SITE)
        params.append(pytest.param(text, expected, id=title.removeprefix("# ")))
    return params


@pytest.mark.parametrize(("text", "expected"), cases())
def test_O2_every_problem_has_its_line_and_says_what_would_be_right(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert expected
    assert problems_of(write(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "workers = " + "[" * 5000,
            "lists or tables stand too deep in one another; no key needs that",
        ),
        ("workers = " + "9" * 5000, "a number is too long to be read; write a shorter one"),
    ],
)
def test_O2_a_monstrous_file_is_a_problem_like_any_other(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert problems_of(write(tmp_path, text)) == [f"1: {expected}"]
