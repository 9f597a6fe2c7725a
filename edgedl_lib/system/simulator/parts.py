"""What a simulated edge system is built of: processors that compute and channels that carry bytes, on SimPy.

A process writes ``service = yield processor.execute(seconds=0.2)`` and ``transfer = yield channel.send(1000)``.
Several names for one `Channel` object are several links on one shared medium: that is contention.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from simpy import Environment, Event

from edgedl_lib.system.link import BITS_PER_BYTE
from edgedl_lib.system.queue_theory import require_count
from edgedl_lib.system.simulator.lines import DISCIPLINES, ConstantCapacity, FirstCome, RecordedCapacity, Sharing, Work
from edgedl_lib.system.specification import MissingSpecification
from edgedl_lib.system.trace import Trace


class PartFailed(Exception):
    """Work ended before it was done; raised at the process that waits for it.

    Attributes
    ----------
    name : str
        Of the part.
    """

    why = "failed"

    def __init__(self, name: str) -> None:
        super().__init__(name)  # SimPy builds the error that it raises anew, from these arguments
        self.name = name

    def __str__(self) -> str:
        return f"{self.name!r} {self.why}"


class DeviceLeft(PartFailed):
    """The processor left while work was in progress or in line, or was away when it was asked."""

    why = "left: its work has to be done elsewhere or is lost"


class LinkDown(PartFailed):
    """The channel dropped while a transfer was in progress or in line, or was down when it was asked."""

    why = "is down: send again later or over another channel"


class LineFull(PartFailed):
    """The line of the processor was as long as it may get."""

    why = "has no room in line: send the work elsewhere or drop it"


class Service(NamedTuple):
    """When a job arrived, when its service began and when it ended (s)."""

    arrival: float
    start: float
    finish: float

    @property
    def wait(self) -> float:
        """Seconds in line."""
        return self.start - self.arrival

    @property
    def latency(self) -> float:
        """Seconds from arrival to end."""
        return self.finish - self.arrival


class Transfer(NamedTuple):
    """When a transfer was asked for, when its first bit was sent and when its last bit was there (s); its size."""

    arrival: float
    start: float
    finish: float
    size_bytes: float

    @property
    def latency(self) -> float:
        """Seconds from the request until the last bit is there."""
        return self.finish - self.arrival


class _Part:
    """What processors and channels have in common: a discipline, presence, and the time in use."""

    left: type[PartFailed] = PartFailed

    def __init__(self, environment: Environment, name: str, discipline: str, capacity, slots: int) -> None:
        if discipline not in DISCIPLINES:
            raise ValueError(f"discipline {discipline!r} of {name!r} is unknown: use one of {sorted(DISCIPLINES)}")
        self.environment, self.name, self.slots, self.discipline = environment, name, int(slots), discipline
        self.is_present = True
        self._line: FirstCome | Sharing = DISCIPLINES[discipline](environment, capacity, self.slots, self._done)
        self._begin = environment.now
        self._away, self._away_since = 0.0, 0.0

    @property
    def waiting(self) -> int:
        """Jobs in line, not yet served."""
        return self._line.waiting

    @property
    def present(self) -> int:
        """Jobs in line and in service."""
        return self._line.present

    @property
    def busy_seconds(self) -> float:
        """Slot-seconds in use so far, the ones of unfinished and of lost work included."""
        return self._line.busy_seconds

    def present_seconds(self) -> float:
        """Seconds since the start during which the part was there."""
        away = self._away + (0.0 if self.is_present else self.environment.now - self._away_since)
        return self.environment.now - self._begin - away

    def utilisation(self) -> float:
        """Share of all slots' time, absences included, that was in use; 0 before any time has passed."""
        elapsed = self.environment.now - self._begin
        return self.busy_seconds / (self.slots * elapsed) if elapsed else 0.0

    def cancel(self, work: Work) -> bool:
        """Take work back that is in line or in service: its event never fires.  Work that is done stays done.

        Returns
        -------
        bool
            Whether there was anything to take back.
        """
        if not any(work is present for present in self._line.everybody()):
            return False
        self._abandon(work)
        self._line.remove(work)
        return True

    def fail(self) -> None:
        """Leave: work in progress and in line ends with an error at whoever waits for it."""
        if not self.is_present:
            return
        self.is_present, self._away_since = False, self.environment.now
        jobs = self._line.everybody()
        for work in jobs:
            self._abandon(work)
        self._line.clear()
        for work in jobs:
            work.fail(self.left(self.name))

    def restore(self) -> None:
        """Come back, with an empty line."""
        if not self.is_present:
            self.is_present = True
            self._away += self.environment.now - self._away_since

    def _enter(self, work: Work) -> Work:
        if self.is_present:
            self._line.enter(work)
        else:
            work.fail(self.left(self.name))
        return work

    def _abandon(self, work: Work) -> None:
        """Account for work that ends unfinished."""

    def _done(self, work: Work) -> None:
        raise NotImplementedError


class Processor(_Part):
    """A device that computes.

    Parameters
    ----------
    environment : simpy.Environment
    name : str
    level : {"end", "edge", "cloud"}
    flop_per_s : float, optional
        Speed of one slot; only for work given in FLOP.
    slots : int
        Jobs served at once at full speed: cores, or copies of the machine.
    discipline : {"fifo", "sharing"}
        First come first served, or processor sharing among all present jobs.
    busy_power, idle_power : float, optional
        Watts with all slots in use and with none; between them the power is linear in the slots in use.
    longest_line : int, optional
        Jobs that may wait (fifo); one more fails with `LineFull`.

    Examples
    --------
    >>> import simpy
    >>> environment = simpy.Environment()
    >>> board = Processor(environment, "board", busy_power=5.0, idle_power=1.0)
    >>> first, second = board.execute(seconds=2.0), board.execute(seconds=1.0)
    >>> environment.run(second)
    Service(arrival=0, start=2.0, finish=3.0)
    >>> board.busy_seconds, board.energy()
    (3.0, 15.0)
    """

    left = DeviceLeft

    def __init__(
        self,
        environment: Environment,
        name: str,
        *,
        level: str = "end",
        flop_per_s: float | None = None,
        slots: int = 1,
        discipline: str = "fifo",
        busy_power: float | None = None,
        idle_power: float | None = None,
        longest_line: int | None = None,
    ) -> None:
        require_count(f"slots of {name!r}", slots)
        if flop_per_s is not None and not 0 < flop_per_s < math.inf:
            raise ValueError(f"flop_per_s of {name!r} must be a positive number of FLOP/s, not {flop_per_s}")
        super().__init__(environment, name, discipline, ConstantCapacity(1.0), slots)
        self.level, self.flop_per_s, self.longest_line = level, flop_per_s, longest_line
        self.busy_power, self.idle_power = busy_power, idle_power

    def seconds(self, flop: float) -> float:
        """Seconds that `flop` operations take in one slot, alone."""
        if self.flop_per_s is None:
            raise MissingSpecification(f"the speed of {self.name!r} is unknown: give flop_per_s, or work in seconds")
        return flop / self.flop_per_s

    def execute(self, *, seconds: float | None = None, flop: float | None = None) -> Work:
        """Ask for work; the event fires with its `Service`.

        Parameters
        ----------
        seconds : float
            At the full speed of one slot.
        flop : float
            Instead of seconds; needs `flop_per_s`.

        Raises
        ------
        DeviceLeft, LineFull
            At the process that waits for the event.
        ValueError
            If the work is negative or not finite, or given twice or not at all.
        """
        if (seconds is None) == (flop is None):
            raise ValueError(f"work for {self.name!r} is given in seconds or in FLOP: pass one of the two")
        seconds = self.seconds(flop) if seconds is None else seconds
        if not 0 <= seconds < math.inf:
            raise ValueError(f"work for {self.name!r} must be a finite number of seconds, zero or more, not {seconds}")
        work = Work(self.environment, seconds)
        if self.longest_line is not None and self._is_full():
            return work.fail(LineFull(self.name))
        return self._enter(work)

    def energy(self) -> float:
        """Joules so far; an absent device draws nothing.

        Raises
        ------
        MissingSpecification
            If one of the two powers is unknown.
        """
        for label in ("busy_power", "idle_power"):
            if getattr(self, label) is None:
                raise MissingSpecification(f"the {label} of {self.name!r} is unknown: give it in watts")
        extra = (self.busy_power - self.idle_power) * self.busy_seconds / self.slots
        return self.idle_power * self.present_seconds() + extra

    def _is_full(self) -> bool:
        return self.present >= self.slots + self.longest_line

    def _done(self, work: Work) -> None:
        work.succeed(Service(work.arrival, work.start, self.environment.now))


class Channel(_Part):
    """A link or a shared medium that carries bytes.

    Parameters
    ----------
    environment : simpy.Environment
    name : str
    rate : float or Trace
        bit/s; 0 carries nothing, infinity takes no time.
    latency : float
        Seconds one way after the last bit is sent; it does not occupy the channel.
    discipline : {"fifo", "sharing"}
        One transfer after the other, or all at once at equal shares of the rate.
    energy_per_bit : float or None
        Joules per bit sent, lost ones included; None when unknown.

    Examples
    --------
    >>> import simpy
    >>> environment = simpy.Environment()
    >>> radio = Channel(environment, "radio", rate=8e6, latency=0.01)
    >>> environment.run(radio.send(1_000_000))
    Transfer(arrival=0, start=0, finish=1.01, size_bytes=1000000)
    >>> radio.bytes_carried
    1000000.0
    """

    left = LinkDown

    def __init__(
        self,
        environment: Environment,
        name: str,
        rate: float | Trace,
        *,
        latency: float = 0.0,
        discipline: str = "fifo",
        energy_per_bit: float | None = 0.0,
    ) -> None:
        if not isinstance(rate, Trace) and not rate >= 0:
            raise ValueError(f"rate of {name!r} must be zero or more bit/s, not {rate}")
        if not 0 <= latency < math.inf:
            raise ValueError(f"latency of {name!r} must be a finite number of seconds, zero or more, not {latency}")
        capacity = RecordedCapacity(rate) if isinstance(rate, Trace) else ConstantCapacity(float(rate))
        super().__init__(environment, name, discipline, capacity, 1)
        self.rate, self.latency, self.energy_per_bit = rate, latency, energy_per_bit
        self.bytes_carried = 0.0
        self.bytes_lost = 0.0

    def send(self, size_bytes: float) -> Work:
        """Ask for a transfer; the event fires with its `Transfer`.

        Raises
        ------
        LinkDown
            At the process that waits for the event.
        ValueError
            If the size is negative or not finite.
        """
        if not 0 <= size_bytes < math.inf:
            raise ValueError(f"a transfer over {self.name!r} has a finite size, zero bytes or more, not {size_bytes}")
        work = Work(self.environment, size_bytes * BITS_PER_BYTE)
        work.size_bytes = size_bytes
        return self._enter(work)

    def energy(self) -> float:
        """Joules that the bits sent so far cost, those of transfers that were cut off included.

        Raises
        ------
        MissingSpecification
            If the energy per bit is unknown.
        """
        if self.energy_per_bit is None:
            raise MissingSpecification(f"the energy_per_bit of {self.name!r} is unknown: give it in J/bit")
        return self.energy_per_bit * BITS_PER_BYTE * (self.bytes_carried + self.bytes_lost)

    def _done(self, work: Work) -> None:
        self.bytes_carried += work.size_bytes
        now = self.environment.now
        transfer = Transfer(work.arrival, work.start, now + self.latency, work.size_bytes)
        if self.latency:
            self.environment.timeout(self.latency).callbacks.append(lambda _: _arrive(work, transfer))
        else:
            work.succeed(transfer)

    def _abandon(self, work: Work) -> None:
        self.bytes_lost += self._line.progress(work) / BITS_PER_BYTE


def _arrive(work: Event, transfer: Transfer) -> None:
    work.succeed(transfer)
