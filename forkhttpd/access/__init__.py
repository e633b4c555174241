"""Who may ask, and how much: pure decisions about addresses, names, passwords and counts.

    networks        which network an address is in
    proxyheader     what the PROXY protocol says of a connection
    proxies         what a trusted proxy says of a request
    rules           whom a mount lets in

Nothing here reads a socket or has a clock; `worker/` does, and asks.
"""
