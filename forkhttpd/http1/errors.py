"""What a handler raises in place of a response: an error, or the way to another path."""


class Elsewhere(Exception):
    """The answer is that of another path here, asked for by GET (RFC 3875 §6.2.2).

    target: path and query, as they would stand in a request line.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


class HTTPError(Exception):
    """A request that is answered with an error status.

    `reason` is for the operator's log and is never sent to the client; `fields` go into the
    answer (Allow, Retry-After …).  After an error of the parser nothing more of the connection is
    read (`close`), because where the next request begins is no longer known (RFC 9112 §9.2, H4).

    details: headings and texts that the page shows beside the status, when the client may know.
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
        self.details: tuple[tuple[str, str], ...] = ()
