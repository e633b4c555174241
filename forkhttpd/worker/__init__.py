"""One serving process: joins the loop, the protocol, the handlers and the spawners' channels.

    worker.py       the process: its turns, its signals, its draining
    tending.py      when it tends to what is beside the loop: logs, counters, the intake
    intake.py       when it takes connections, and when it leaves them; share.py: to other workers
    acceptor.py     takes connections from a listener
    shortcut.py     the short way of a request that was answered before; answers.py: those answers
    connection.py   one client: read a request, respond, send, log, again or close
    body.py         a request's body, pulled from the connection
    sender.py       the only place that writes to a client
    router.py       which handler a request belongs to; alone knows the handlers
    programs.py     which files are programs, whose source nobody is shown
    redirection.py  a request that another one is answered by
    misdirection.py  a request that came over the wrong connection
    launcher.py     asks spawners to start programs; alone knows their protocol
    accesslog.py    one line per answer, in batches
    errorpage.py    an error as something that a person reads
    entrance.py     what a listener makes of its connections: plain or TLS, who answers
    httpsredirect.py  a listener that only leads to https
    gate.py         who may ask, and how much: joins what the next lines have
    guards.py       what stands before a mount's handler: rules by address, a login
    desk.py         asks verifier.py, the process beside us that compares passwords to hashes
    reception.py    before a connection is served: the word of a proxy, and whether there is room
    headcount.py    how many connections; pace.py: how often requests; counting.py: of whom
    observer.py     what is seen of us, where a mount shows it; tally.py: what we have answered
    notice.py       a line of the log that is written once a while
    context.py      what all connections share

It is one thread: whatever waits is a task of the loop.
"""
