"""The generations that are open: the one that serves, the ones that drain, the one to come."""

import logging
import socket
from collections.abc import Mapping

from forkhttpd.census import Census
from forkhttpd.config import Address, Config
from forkhttpd.errors import ExitCode, StartupError, describe
from forkhttpd.master.generation import Generation, open_generation
from forkhttpd.master.handover import listener_name, names_of
from forkhttpd.master.listener import Activation, Listener, inherit_listener
from forkhttpd.master.systemd import Named

_LOGGER = logging.getLogger("forkhttpd")


class Generations:
    """Owns every open generation, and the sockets that were given to us all.

    activation: those of the service manager; inherited: those that an earlier master has bound, by
    name.  They pass into the generations that use them.  census: what all of them count in.
    """

    __slots__ = ("_activation", "_inherited", "_open", "census")

    def __init__(
        self, activation: Activation, inherited: Mapping[str, socket.socket] | None = None
    ) -> None:
        self._activation = activation
        self.census = Census()
        given = {name: inherit_listener(one) for name, one in (inherited or {}).items()}
        self._inherited = {name: one for name, one in given.items() if one is not None}
        self._open: dict[int, Generation] = {}

    def __getitem__(self, number: int) -> Generation:
        return self._open[number]

    def open(self, number: int, config: Config) -> Generation:
        """Open a generation, on the sockets of the running ones where the address is the same.

        A unix socket that nobody finds any more, as its file was removed or replaced, is made anew.
        Raises StartupError, and then nothing has changed.
        """
        kept = self._kept(config)
        try:
            generation = open_generation(
                number, config, kept=kept, activation=self._activation, census=self.census
            )
        except OSError as error:
            words = f"cannot open what the configuration takes: {describe(error)}"
            raise StartupError(words, exit_code=ExitCode.OSERR) from error
        self._open[number] = generation
        return generation

    def _kept(self, config: Config) -> dict[Address, Listener]:
        names = {listen.address: listener_name(listen.address) for listen in config.listen}
        kept = {
            address: self._inherited[name]
            for address, name in names.items()
            if name in self._inherited
        }
        for running in self._open.values():
            kept.update(running.listeners)
        lost = [a for a, one in kept.items() if a.kind == "unix" and not one.is_reachable]
        for address in lost:
            _LOGGER.warning("%s: its file was removed or replaced, so it is made anew", address)
            del kept[address]
        return kept

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
        for listener in self._inherited.values():
            listener.close()
        for given in self._activation.values():
            for one in given:
                one.close()

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
        given = [fd for _, fd in names_of(self._activation)]
        inherited = [one.fileno() for each in self._inherited.values() for one in each.sockets]
        return given + inherited + [fd for one in self._open.values() for fd in one.fds()]

    # From one master to the next.

    def settle(self) -> list[str]:
        """Make what we have inherited our own, now that no other master serves with it.

        What no generation listens on is closed; its names are returned.
        """
        used = {id(one) for each in self._open.values() for one in each.listeners.values()}
        unused = []
        for name, listener in self._inherited.items():
            listener.own_file()
            if id(listener) not in used:
                listener.close()
                unused.append(name)
        self._inherited = {}
        return unused

    def to_hand_on(self, number: int) -> list[Named]:
        """Return the listeners that a new master needs, and the names that it knows them by."""
        ours = [
            (listener_name(address), one.fileno())
            for address, listener in self._open[number].listeners.items()
            if address.kind != "systemd"
            for one in listener.sockets
        ]
        return names_of(self._activation) + ours

    def leave_files(self) -> None:
        """Let the files of our unix sockets stay: another master serves with them."""
        for generation in self._open.values():
            for listener in generation.listeners.values():
                listener.leave_file()

    def unused_activation(self, number: int) -> list[str]:
        """Return the names of the service manager's sockets that nobody listens on."""
        listeners = self._open[number].listeners
        return [name for name in self._activation if Address("systemd", name) not in listeners]
