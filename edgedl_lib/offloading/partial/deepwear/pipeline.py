"""A stream: the watch computes the next frame while Bluetooth carries this one and the phone ends the one before."""

from __future__ import annotations

from collections.abc import Iterator

import simpy

from edgedl_lib.offloading.partial.deepwear.devices import Context
from edgedl_lib.system.simulator.parts import Channel, Processor


def stream_throughput(
    watch_seconds: float,
    sent_bytes: float,
    phone_seconds: float,
    context: Context,
    *,
    frames: int = 200,
    pipelined: bool = True,
) -> float:
    """Frames per second of a stream that always has a next frame, simulated.

    Parameters
    ----------
    watch_seconds, phone_seconds : s of one frame, the phone's at its present load
    sent_bytes : bytes of one frame over Bluetooth
    pipelined : if False, a frame starts when the one before has left the phone

    Raises
    ------
    ValueError
        If there are fewer than 20 frames, too few for a steady state.

    Examples
    --------
    >>> round(stream_throughput(0.1, 6_250, 0.02, Context(rate=1e6)), 3)
    10.0
    """
    if frames < 20:
        raise ValueError(f"{frames} frames show no steady state: stream at least 20")
    environment = simpy.Environment()
    parts = (
        Processor(environment, "watch"),
        Channel(environment, "Bluetooth", context.rate, latency=context.latency),
        Processor(environment, "phone"),
    )
    amounts, ends = tuple(map(float, (watch_seconds, sent_bytes, phone_seconds))), []
    if pipelined:
        for _ in range(frames):
            environment.process(_frame(parts, amounts, ends))
    else:
        environment.process(_one_by_one(parts, amounts, ends, frames))
    environment.run()
    settled = frames // 2
    return (frames - settled) / (ends[-1] - ends[settled - 1])


def _frame(parts: tuple, amounts: tuple[float, float, float], ends: list[float]) -> Iterator:
    watch, bluetooth, phone = parts
    yield watch.execute(seconds=amounts[0])
    if amounts[1]:  # a frame that ends on the watch crosses no link
        yield bluetooth.send(amounts[1])
        yield phone.execute(seconds=amounts[2])
    ends.append(watch.environment.now)


def _one_by_one(parts: tuple, amounts: tuple[float, float, float], ends: list[float], frames: int) -> Iterator:
    for _ in range(frames):
        yield from _frame(parts, amounts, ends)
