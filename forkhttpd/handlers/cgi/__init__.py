"""CGI programs as a handler (RFC 3875).

    gateway.py     which program a path means, and the answer it gives
    exchange.py    one program's run: three pipes served at once, under their deadlines
    environ.py     the request as environment variables (§4); pure
    output.py      the program's header as a response (§6); pure
    diagnosis.py   why a program did not start or made no sense, in words for the operator; pure

The gateway starts nothing itself: it is given `launch`, behind which a spawner does.
"""
