"""What a path means: each handler turns a request into a response and never sees a socket.

`static` answers with files of a `docroot`: `files` finds and describes them, `selection` picks
what of them is sent, `mediatypes` knows what a name says of the content, `cache` keeps answers that
are ready, and `listing` shows a directory.  `cgi` answers with what a program writes; `redirect`
sends the client elsewhere; `show` tells of the server itself, and `locality` whom.

Files and programs are opened through the same `docroot`, which follows links as its `resolver`
has been told to: by openat2(2), and by `walking` where that cannot.  Neither of `static` and `cgi`
imports the other, because a path that means a program must never be answered with its source.
"""
