"""What a spawner is told when it starts: the pool's numbers, and the descriptors it inherits."""

from typing import NamedTuple, Tuple


class Settings(NamedTuple):
    """Durations are in seconds; the last five are open descriptors."""

    name: str  # the pool's
    generation: int
    slot: int  # index in the scoreboard
    processes: int
    queue: int
    queue_wait: float
    kill_grace: float
    graceful: float
    umask: int
    nice: int
    address_space: int  # bytes; this and what follows: 0 is as it was inherited
    cpu: int  # seconds
    open_files: int
    user_processes: int
    file_size: int  # bytes
    core: int  # bytes; 0 is none
    cgroup: str  # directory of the pool's cgroups; "" is none
    problem: str  # why there is none, though there should be
    memory: int  # bytes
    tasks: int
    preload: str  # names of modules, with spaces between
    scoreboard: int
    door: int
    lifeline: int
    bell: int
    control: int

    def descriptors(self) -> Tuple[int, ...]:
        """All that were inherited, besides the standard ones."""
        return self.scoreboard, self.door, self.lifeline, self.bell, self.control
