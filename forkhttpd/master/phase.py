"""Where the master is."""

from enum import Enum


class Phase(Enum):
    """One after the other; each change of one is one event's doing."""

    STARTING = "starting"  # no generation has been ready yet
    SERVING = "serving"
    LOADING = "loading"  # the shell opens the next generation
    SWAPPING = "swapping"  # the next generation starts beside the serving one, and takes its place
    UPGRADING = "upgrading"  # a new master starts beside us
    RETIRING = "retiring"  # it serves, and we drain
    LAME_DUCK = "lame duck"  # we serve, and are to stop soon
    STOPPING = "stopping"


LEAVING = frozenset({Phase.RETIRING, Phase.LAME_DUCK, Phase.STOPPING})
