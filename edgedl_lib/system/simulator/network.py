"""A scenario's stations and connections come to life: parts on one clock, routes among what is there, failures."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from simpy import Environment, Event, Interrupt

from edgedl_lib.system.simulator.lines import Work
from edgedl_lib.system.simulator.parts import Channel, DeviceLeft, PartFailed, Processor
from edgedl_lib.system.simulator.scenario import Connection, Failure, Scenario, Station
from edgedl_lib.system.simulator.topology import Hop, find_route


class NoRoute(PartFailed):
    """No way leads to the station among what is there now."""

    why = "cannot be reached now: place the work elsewhere or add a connection"


class Network:
    """Everything that can carry out work in a run.

    Attributes
    ----------
    processors : dict of str to Processor
    channels : dict of str to Channel
    """

    def __init__(self, environment: Environment, scenario: Scenario) -> None:
        self.environment, self._connections = environment, scenario.connections
        self.processors = {station.name: _processor(environment, station) for station in scenario.stations}
        self.channels = {each.name: _channel(environment, each) for each in scenario.connections}
        self._absent: set[str] = set()
        self._routes: dict[tuple[str, str], tuple[Hop, ...] | None] = {}
        self._moving: dict[Work, tuple[Channel, str, str]] = {}  # transfers, and the two ends of their hop
        for failure in scenario.failures:
            environment.process(self._fail(failure))

    def route(self, start: str, end: str) -> tuple[Hop, ...] | None:
        """Fewest hops among what is there now, or None."""
        pair = (start, end)
        if pair not in self._routes:
            self._routes[pair] = find_route(self._connections, start, end, self._absent)
        return self._routes[pair]

    def send(self, size_bytes: float, start: str, end: str) -> Iterator[Event]:
        """Bytes from station to station, each hop whole before the next; to be used with ``yield from``.

        Nothing to send takes no time and needs no way.

        Raises
        ------
        NoRoute, LinkDown, DeviceLeft
            If there is no way, or during the transfer a connection drops or one of its two ends leaves.
        """
        if not size_bytes:
            return
        hops = self.route(start, end)
        if hops is None:
            raise NoRoute(end)
        here = start
        for name, there in hops:
            channel = self.channels[name]
            transfer = channel.send(size_bytes)
            self._moving[transfer] = channel, here, there
            try:
                yield from patient(channel, transfer)
            finally:
                del self._moving[transfer]
            here = there

    def _fail(self, failure: Failure) -> Generator[Event, None, None]:
        part = self.processors.get(failure.what) or self.channels[failure.what]
        yield self.environment.timeout(failure.at)
        self._absent.add(failure.what)
        self._routes.clear()
        part.fail()
        self._cut_off(failure.what)
        if failure.until is not None:
            yield self.environment.timeout(failure.until - failure.at)
            self._absent.discard(failure.what)
            self._routes.clear()
            part.restore()

    def _cut_off(self, station: str) -> None:
        """End the transfers to and from a station that left."""
        for transfer, (channel, *ends) in list(self._moving.items()):
            if station in ends and channel.cancel(transfer):
                transfer.fail(DeviceLeft(station))


def patient(part: Processor | Channel, work: Event) -> Iterator[Event]:
    """Wait for work; who is called away while waiting takes it back."""
    try:
        yield work
    except Interrupt:
        part.cancel(work)
        raise


def _processor(environment: Environment, station: Station) -> Processor:
    return Processor(
        environment,
        station.name,
        level=station.level,
        flop_per_s=station.flop_per_s,
        slots=station.slots,
        discipline=station.discipline,
        busy_power=station.busy_power,
        idle_power=station.idle_power,
        longest_line=station.longest_line,
    )


def _channel(environment: Environment, connection: Connection) -> Channel:
    return Channel(
        environment,
        connection.name,
        connection.rate,
        latency=connection.latency,
        discipline=connection.discipline,
        energy_per_bit=connection.energy_per_bit,
    )
