"""The spawner: starts the CGI programs of one pool, limits them, and leaves none behind.

It is a process of its own, because starting a program must not hold up the serving loop, and
because only a parent can signal a program without racing its end.  `forkhttpd/bundle.py` packs
this package, with `forkhttpd.channel` and `forkhttpd.scoreboard`, into one source text and execs
the pool's interpreter on it.  Hence the rules:

* it imports itself, `forkhttpd.channel`, `forkhttpd.scoreboard` and the standard library, nothing
  else of ours; `protocol` is the only module that a worker shares;
* CPython 3.9 syntax and library: no `match`, no `dataclass(slots=True)`, no ctypes;
* one thread, one epoll, no blocking call but that epoll.

    boot         runs the bundle
    main         settles in, runs the loop, leaves with an exit code
    spawner      the loop: channels, signals, phases
    pool         the programs: who runs, who waits, who is being ended
    admission    who may start now, who waits, who is turned away (pure)
    program      starts one program: pipes, directory, posix_spawn
    limits       what a program may use
    cgroup       what a program may use with all that it starts, and its end
    ledger       what the programs came to
    descendants  finds and ends what a program left behind
    peer         one worker's channel; never blocks on it
    protocol     the messages (pure)
    settings     what a spawner is told when it starts
    warm         starts Python scripts in a fork of the spawner
    origin       how the interpreter found the world, which is how a script finds it
    scripts      which programs are scripts, and what is kept of them
    shebang      which interpreter a program asks for
    scout        looks at a script and its modules, in a process that is thrown away
    traces       what an import leaves behind
    stash        modules that are imported ahead
    spares       forks that wait for requests
    stage        what all runs of a script find
    life         a script's life in a fork; ending: its end
    streams      sys.stdin, sys.stdout and sys.stderr, made ahead
    pages        what a fork takes along without a fault
    image        what ps and /proc show
    errorlog     lines for the error log
"""
