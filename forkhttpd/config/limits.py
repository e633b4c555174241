"""[limits]: how much of anything a client may ask for."""

from dataclasses import dataclass

from forkhttpd.config.networks import Networks
from forkhttpd.config.rates import OptionalRate, Rate, RateOf
from forkhttpd.config.schema import CLOSED, option
from forkhttpd.config.values import Count, Number, Size


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """[limits]: each with its own status, or the moment at which it closes the connection."""

    __pydantic_config__ = CLOSED

    request_line: Size = option(8192, "most bytes of a request line, else 414")
    header: Size = option(32768, "most bytes of a request's header, else 431")
    header_fields: Count = option(100, "most fields of a request's header, else 431")
    body: Size = option(1 << 30, "most bytes of a request's body, else 413")
    connections: Count = option(
        8192, "most open connections of one worker; more wait in the backlog"
    )
    total_connections: Number = option(
        0, "most open connections of all workers together, others are closed; 0 is any"
    )
    connections_per_address: Number = option(
        0, "most of one address, or IPv6 /64, over all workers; 0 is any"
    )
    rate: OptionalRate = option(
        None, 'most requests of one address, as in "20/s" or "600/m", else 429; "" is any'
    )
    burst: Number = option(0, "requests of it that may come at once; 0 is as many as `rate` says")
    body_rate: Size = option(
        0, "fewest bytes a second that a body comes with on average, else 408; 0 is any"
    )
    failed_logins: RateOf = option(
        Rate(20, 60.0), 'most wrong passwords of one address, as in "20/m"; then 429 for a while'
    )
    exempt: Networks = option(
        (), 'who is not counted by address, as in ["10.0.0.0/8"], but for trusted_proxies'
    )
