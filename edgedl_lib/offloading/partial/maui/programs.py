"""Three programs like the paper's, and random ones, on a phone of 2010 and a server next door.

The paper's profiles are not published: totals are as recalled (19 s for a face, 6 frames a second), their division over
methods and calls is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.partial.maui.call_graph import Call, CallGraph, Method
from edgedl_lib.system.link import Link

SERVER_FACTOR = 12.0  # 3 GHz against 528 MHz, and twice the work per cycle
COMPUTE_POWER, RADIO_POWER = 0.9, 0.7  # W: the CPU busy; the radio sending, receiving or waiting
RATE = 5e6  # bit/s of the Wi-Fi and of everything behind it
ROUND_TRIPS_MS = tuple(range(5, 221, 5))


@dataclass(frozen=True)
class Program:
    """Methods and calls of one run, before a link is known.

    Attributes
    ----------
    methods : (name, seconds on the phone, remoteable)
    calls : (caller, callee, how often, bytes of state there and back per call)
    """

    name: str
    methods: tuple[tuple[str, float, bool], ...]
    calls: tuple[tuple[str, str, int, int], ...]
    server_factor: float = SERVER_FACTOR

    def over(self, link: Link) -> CallGraph:
        """The program's costs over a link: each call pays the round trip and the bytes of its state."""
        methods = tuple(self._method(*row) for row in self.methods)
        return CallGraph(methods, tuple(_call(*row, link) for row in self.calls))

    def at_round_trip(self, seconds: float) -> CallGraph:
        """The same over a link of 5 Mb/s with this round-trip time (s)."""
        return self.over(Link("wireless", RATE, rtt=seconds))

    def _method(self, name: str, seconds: float, remoteable: bool) -> Method:
        remote = seconds / self.server_factor
        return Method(name, COMPUTE_POWER * seconds, seconds, remote, remoteable, RADIO_POWER * remote)


def _call(caller: str, callee: str, count: int, state_bytes: int, link: Link) -> Call:
    seconds = count * link.transfer_time(state_bytes)
    return Call(caller, callee, RADIO_POWER * seconds, seconds)


def face_recognition() -> Program:
    """A photograph is matched with a gallery: 19 s, nearly all of it remoteable, one picture of state."""
    methods = (("main", 0.2, False), ("detect", 6.0, True), ("features", 9.3, True), ("match", 3.5, True))
    calls = (("main", "detect", 1, 50_000), ("detect", "features", 4, 20_000), ("features", "match", 4, 10_000))
    return Program("face recognition", methods, calls)


def video_game() -> Program:
    """One frame of an arcade game at 6 frames/s: physics may move, input and drawing may not."""
    methods = (("main", 0.010, False), ("physics", 0.092, True), ("collisions", 0.025, True), ("draw", 0.040, False))
    calls = (("main", "physics", 1, 4096), ("physics", "collisions", 20, 256), ("main", "draw", 1, 4096))
    return Program("video game", methods, calls)


def chess() -> Program:
    """One move: the search asks the rules 200 times, and so does the board that is drawn, eight times."""
    methods = (("main", 0.5, False), ("search", 0.6, True), ("rules", 0.25, True))
    calls = (("main", "search", 1, 1024), ("search", "rules", 200, 128), ("main", "rules", 8, 128))
    return Program("chess", methods, calls)


def presets() -> tuple[Program, ...]:
    """The three programs."""
    return face_recognition(), video_game(), chess()


def random_call_graph(rng: np.random.Generator) -> CallGraph:
    """8 to 14 methods, main pinned and each other with probability 0.1; a tree of calls and a few calls across it."""
    size = int(rng.integers(8, 15))
    times = rng.exponential(0.5, size)
    pinned = rng.random(size) < 0.1
    pinned[0] = True
    rows = tuple((f"m{i}", float(times[i]), not pinned[i]) for i in range(size))
    pairs = {(int(rng.integers(i)), i) for i in range(1, size)}
    pairs |= {tuple(sorted(int(v) for v in rng.choice(size, 2, replace=False))) for _ in range(size // 2)}
    calls = tuple((f"m{a}", f"m{b}", int(rng.integers(1, 6)), int(10 ** rng.uniform(2, 5))) for a, b in sorted(pairs))
    return Program("random", rows, calls, float(rng.uniform(1, 20))).at_round_trip(float(rng.uniform(0.005, 0.22)))
