"""[limits]: how much of anything a client may ask for."""

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from forkhttpd.config.networks import Networks
from forkhttpd.config.rates import OptionalRate, Rate, RateOf
from forkhttpd.config.values import Count, Number, Size


@dataclass(frozen=True, kw_only=True, slots=True, config=ConfigDict(extra="forbid"))
class Limits:
    """[limits]: each with its own status, or the moment at which it closes the connection."""

    request_line: Size = Field(default=8192, description="most bytes of a request line, else 414")
    header: Size = Field(default=32768, description="most bytes of a request's header, else 431")
    header_fields: Count = Field(
        default=100, description="most fields of a request's header, else 431"
    )
    body: Size = Field(default=1 << 30, description="most bytes of a request's body, else 413")
    connections: Count = Field(
        default=8192,
        description="most open connections of one worker; more wait in the backlog",
    )
    total_connections: Number = Field(
        default=0,
        description="most open connections of all workers together, others are closed; 0 is any",
    )
    connections_per_address: Number = Field(
        default=0, description="most of one address, or IPv6 /64, over all workers; 0 is any"
    )
    rate: OptionalRate = Field(
        default=None,
        description='most requests of one address, as in "20/s" or "600/m", else 429; "" is any',
    )
    burst: Number = Field(
        default=0,
        description="requests of it that may come at once; 0 is as many as `rate` says",
    )
    body_rate: Size = Field(
        default=0,
        description="fewest bytes a second that a body comes with on average, else 408; 0 is any",
    )
    failed_logins: RateOf = Field(
        default=Rate(20, 60.0),
        description='most wrong passwords of one address, as in "20/m"; then 429 for a while',
    )
    exempt: Networks = Field(
        default=(),
        description='who is not counted by address, as in ["10.0.0.0/8"], but for trusted_proxies',
    )
