"""What a path means: each handler turns a request into a response and never sees a socket.

`static` answers with files of a `docroot`, helped by `listing` (a directory as a page),
`mediatypes` (what a file name says of the content) and `cache` (answers that are ready).  `cgi`
answers with what a program writes.  Both open what they name through the same `docroot`; neither
imports the other, because a path that means a program must never be answered with its source.
"""
