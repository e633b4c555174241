"""The generations that are open: the one that serves, the ones that drain, the one to come."""

from forkhttpd.config import Config
from forkhttpd.errors import StartupError
from forkhttpd.master.generation import Generation, open_generation
from forkhttpd.master.listener import Activation


class Generations:
    """Owns every open generation, and the sockets that systemd gave to us all."""

    __slots__ = ("_activation", "_open")

    def __init__(self, activation: Activation) -> None:
        self._activation = activation
        self._open: dict[int, Generation] = {}

    def __getitem__(self, number: int) -> Generation:
        return self._open[number]

    def open(self, number: int, config: Config) -> Generation:
        """Open a generation, on the sockets of the running ones where the address is the same.

        Raises StartupError, and then nothing has changed.
        """
        running = list(self._open.values())
        generation = open_generation(number, config, running=running, activation=self._activation)
        self._open[number] = generation
        return generation

    def release(self, number: int) -> None:
        """Close the listeners of a generation that no other one listens on."""
        others = [one for one in self._open.values() if one.number != number]
        self._open[number].release_listeners(others)

    def close(self, number: int) -> None:
        """Close everything of a generation."""
        self.release(number)
        self._open.pop(number).close()

    def close_all(self) -> None:
        """Close everything."""
        for number in list(self._open):
            self.close(number)
        for given in self._activation.values():
            for listener in given:
                listener.close()

    def reopen_logs(self) -> list[str]:
        """Reopen every log file; return what went wrong."""
        problems = []
        for generation in self._open.values():
            try:
                generation.reopen_logs()
            except StartupError as error:
                problems.append(str(error))
        return problems

    def fds(self) -> list[int]:
        """Return every descriptor that belongs to any of them."""
        given = [one.fileno() for sockets in self._activation.values() for one in sockets]
        return given + [fd for generation in self._open.values() for fd in generation.fds()]
