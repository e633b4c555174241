"""The one exception of a request: it carries its status."""


class HTTPError(Exception):
    """A request that is answered with an error status.

    `reason` is for the operator's log and is never sent to the client; `fields` go into the
    answer (Allow, Retry-After …).  After an error of the parser nothing more of the connection is
    read (`close`), because where the next request begins is no longer known (RFC 9112 §9.2, H4).
    """

    def __init__(
        self,
        status: int,
        reason: str = "",
        *,
        fields: tuple[tuple[str, str], ...] = (),
        close: bool = False,
    ) -> None:
        super().__init__(f"{status} {reason}".rstrip())
        self.status = status
        self.reason = reason
        self.fields = fields
        self.close = close
