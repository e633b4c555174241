"""forkhttpd: a small, dependable pre-fork HTTP server for static files and CGI programs.

Static content, CGI programs and the server are three separate things here, and three kinds of
processes:

    master      binds, forks, watches, reloads; serves nobody, and knows no HTTP
    worker      accepts, parses, dispatches: answers files itself and programs by asking
    spawner     one per pool: starts CGI programs, limits them, reaps them

The nouns, and where each lives:

    config/         the configuration: typed, frozen, complete before anything is bound
    master/         the process manager: policy decides, master does
    worker/         one serving process
      access/       who may ask, and how much: addresses, proxies, rules
      http1/        the protocol, pure: no I/O and no clock
      loop/         descriptors, time and coroutines; nothing of HTTP
      handlers/     what a URL means: `async (Request) -> Response`; never sees a socket
    spawner/        starts programs; standard library only, runs under the pool's own interpreter
    bundle.py       the spawner as one source, and the exec that starts it
    cgroups.py      a part of the cgroup tree for a pool's programs
    scoreboard.py   shared memory, where the processes meet
    chronicle.py    what all have counted, for good; overview.py: how the whole server is
    census.py       what addresses do, counted over all workers
    channel.py      messages with descriptors between them
    hosts.py        a table by host name
    tls.py          what a generation speaks TLS with: certificates by server name
    kerneltls.py    whether the kernel can encrypt
    inheritance.py  what a child is born with
    privileges.py   become less, once
    signals.py      signals as messages
    log.py          the error log
    outlet.py       lines out to who may not read them; never waits
    status.py       the command that asks how the server is; statustable.py: what people see of it
    inquiry.py      asks a running master over its control socket
    errors.py       what stops the daemon, by whose fault it is
    explain.py      what a request would meet, without making one
    reach.py        what those who serve have no right to, for -t
    quick.py        the configuration of a directory that is served at once
    testing.py      a server for test suites of others
    commandline.py  what the command line may say, and --help
    cli.py          the command: the one place that joins master, worker and spawner
    __main__.py     the first to run: has the configuration read while the rest is imported

Who may import whom says the table in CONTRIBUTING.md; tests/architecture holds us to it.
"""

__version__ = "0.1.0"
