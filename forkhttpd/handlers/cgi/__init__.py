"""CGI programs as a handler (RFC 3875).

    gateway.py     the handler: runs a program, and makes an answer of what it says
    scripts.py     which program a path means
    program.py     a program as the gateway sees it, and the terms that it runs on
    exchange.py    one program's run: three pipes served at once, under their deadlines
    stderr.py      what it complains of, into the log
    spool.py       a request's body of unknown length, before the program starts
    backlog.py     what a slow client is behind with; spill.py: where that is kept
    sendfile.py    a file that a program has us send
    environ.py     the request as environment variables (§4); pure
    output.py      the program's header as a response (§6); pure
    lint.py        what will not work, told before anybody asks for it
    diagnosis.py   why a program did not start or made no sense, in words for the operator; pure

The gateway starts nothing itself: it is given `launch`, behind which a spawner does.
"""
