"""One serving process: joins the loop, the protocol, the handlers and the spawners' channels.

    worker.py       the process: its turns, its signals, its draining
    acceptor.py     takes connections from a listener
    connection.py   one client: read a request, respond, send, log, again or close
    body.py         a request's body, pulled from the connection
    sender.py       the only place that writes to a client
    router.py       which handler a request belongs to; alone knows the handlers
    redirection.py  a request that another one is answered by
    launcher.py     asks spawners to start programs; alone knows their protocol
    accesslog.py    one line per answer, in batches
    errorpage.py    an error as something that a person reads
    entrance.py     what a listener makes of its connections: plain or TLS, who answers
    httpsredirect.py  a listener that only leads to https
    context.py      what all connections share

It is one thread: whatever waits is a task of the loop.
"""
