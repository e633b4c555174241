"""What a client would rather have: Accept and Accept-Encoding, RFC 9110 §12.

Both are wishes.  What cannot be read in them is passed over, and where nothing that we have is
acceptable the client gets what there is: more use to it than a 406, and the same answer as from a
server that does not negotiate (§12.4.1).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

# A weight in thousandths; RFC 9110 §12.4.2 has no more digits.
Weights = Mapping[str, int]

_MOST = 1000
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_WEIGHT = r"(?:[ \t]*+;[ \t]*+[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
_CODING = re.compile(rf"({_NAME}){_WEIGHT}")
_MEDIA_RANGE = re.compile(rf"({_NAME}/{_NAME}){_WEIGHT}")


@lru_cache(maxsize=256)
def codings(accept_encoding: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the offered codings that go before the content as it is, best first.

    `offered` are in the server's order, which decides where the client has no preference.  A
    coding that the client likes less than "identity" is left out: that one is always there.  A
    client that sends no field gets no coding (§12.5.3 would let us).
    """
    weights = _weights(_CODING, accept_encoding or "")
    if "x-gzip" in weights:  # another name of the same, §8.4.1.3
        weights.setdefault("gzip", weights["x-gzip"])
    others = weights.get("*", 0)
    # Without a word about it, identity is acceptable and the last choice (§12.5.3).
    least = max(1, weights.get("identity", others))
    liked = [name for name in offered if weights.get(name, others) >= least]
    return tuple(sorted(liked, key=lambda name: -weights.get(name, others)))


@lru_cache(maxsize=256)
def prefers(accept: str | None, media_type: str, *, over: str) -> bool:
    """Whether a client would rather have a media type than another one that it gets otherwise."""
    weights = _weights(_MEDIA_RANGE, accept or "")
    return _weight(weights, media_type) > _weight(weights, over)


def _weight(weights: Weights, media_type: str) -> int:
    """Return the weight of a type: the most specific range decides (§12.5.1)."""
    main = media_type.partition("/")[0]
    ranges = (media_type, f"{main}/*", "*/*")
    return next((weights[name] for name in ranges if name in weights), 0)


def _weights(member: re.Pattern[str], value: str) -> dict[str, int]:
    """Return what a list field says of each name, in lower case; the first word counts."""
    weights: dict[str, int] = {}
    for text in value.split(","):
        match = member.fullmatch(text.strip(" \t"))
        if match is not None:
            weights.setdefault(match[1].lower(), _thousandths(match[2]))
    return weights


def _thousandths(weight: str | None) -> int:
    if weight is None:
        return _MOST
    whole, _, rest = weight.partition(".")
    return int(whole + rest.ljust(3, "0"))
