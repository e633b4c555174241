"""The protocol HTTP/1, pure: no I/O, no clock, nothing of ours but what stands here.

Going in, each built on the ones before it:

    errors       a request that is answered with an error status
    limits       how much of a head a client may send
    authority    a host and an optional port, validated
    target       where a request points to, decoded once
    headers      fields, asked by name
    account      what a program cost that worked for a request
    request      a request, and the two shared parts of its head
    head         a head's bytes, read: by us the line and the meaning, by llhttp the syntax
    memory       heads that have been read before
    chunked      a chunked body, decoded and bounded
    parser       a connection's input: bytes are pushed in, requests and bodies are pulled out

Going out:

    dates        the dates of HTTP, one format written and three read
    conditional  If-Match and its kin: proceed, 304 or 412
    negotiation  what a client would rather have: Accept and Accept-Encoding
    ranges       the parts of a file that a client asks for
    multipart    several of them in one answer
    response     a description of the answer
    writer       how it is framed, and the one place where a head is written

Bytes are on the wire only: field text is latin-1, so any byte survives the way in and out, and a
path is UTF-8 with surrogates for what is not.
"""
