"""Who may ask, and how much: pure decisions about addresses, names, passwords and counts.

    networks        which network an address is in
    proxyheader     what the PROXY protocol says of a connection
    proxies         what a trusted proxy says of a request
    rules           whom a mount lets in
    credentials     a name and a password, as a request says them
    htpasswd        a file of names and hashes
    logins          who was verified a short while ago
    meter           how often an address may do something

Nothing here reads a socket or has a clock; `worker/` does, and asks.
"""
