"""One client's pipeline: a thread that reads, decodes and resizes, and a thread that delivers to the sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread, current_thread
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from edgedl_lib.offloading.integral.edgeeye.lines import Lines
from edgedl_lib.offloading.integral.edgeeye.network import decode, resize

ORDER = ("decode", "resize", "detect", "sink")
EVENTS_KEPT = 64  # that wait for a slow sink before the oldest is dropped
LONGEST_GOODBYE = 2.0  # s that a release waits for the pipeline's own threads


class PipelineError(ValueError):
    """A request that the service cannot serve: the message says what to change."""


class Frame(NamedTuple):
    """A picture on its way to the detector."""

    number: int
    captured: float  # s, of the monotonic clock
    picture: np.ndarray


class Detection(NamedTuple):
    """What a sink is told."""

    pipeline: int
    number: int
    label: int
    score: float
    latency: float  # s since the frame was read


@dataclass
class Counts:
    """What happened to a pipeline's frames so far."""

    read: int = 0
    dropped: int = 0
    detected: int = 0
    delivered: int = 0
    errors: list[str] = field(default_factory=list)


def check_elements(elements: Sequence[Mapping[str, Any]], models: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The elements by name, if they make a pipeline.

    Raises
    ------
    PipelineError
        Names the element, or the model, and what is known.
    """
    names = tuple(element.get("element") for element in elements)
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        raise PipelineError(f"element {unknown[0]!r} is unknown: use {', '.join(ORDER)}")
    if names != tuple(name for name in ORDER if name in names) or not {"decode", "detect", "sink"} <= set(names):
        raise PipelineError(f"elements {names} are no pipeline: use {' > '.join(ORDER)} in this order")
    parts = dict(zip(names, elements, strict=True))
    if parts["detect"].get("model") not in models:
        raise PipelineError(f"model {parts['detect'].get('model')!r} is unknown: this service has {sorted(models)}")
    return parts


class Pipeline:
    """Source, decoder, resizer; detections come back through :meth:`deliver`.

    Parameters
    ----------
    key : int
    elements : mapping of name to its settings
    frames : Lines
        Where decoded frames wait for the detector.
    """

    def __init__(self, key: int, elements: Mapping[str, Mapping[str, Any]], frames: Lines) -> None:
        self.key, self.elements, self.frames = key, elements, frames
        self.counts = Counts()
        self.released = Event()
        self._sinks: list[Callable[[Detection], None]] = []
        self._events, self._lock = Lines(EVENTS_KEPT), Lock()
        self._threads: list[Thread] = []
        frames.open(key)
        self._events.open(key)
        self._start(self._deliver)

    def connect(self, source: Iterable[bytes]) -> None:
        """Read encoded frames from `source` until it ends or the pipeline is released."""
        self._start(self._read, source)

    def subscribe(self, sink: Callable[[Detection], None]) -> None:
        """Tell `sink` of every detection from now on."""
        with self._lock:
            self._sinks.append(sink)

    def deliver(self, frame: Frame, scores: np.ndarray) -> None:
        """A detection for whoever has subscribed; without subscribers it ends here."""
        self.counts.detected += 1
        label = int(scores.argmax())
        latency = perf_counter() - frame.captured
        self._events.put(self.key, Detection(self.key, frame.number, label, float(scores[label]), latency))

    def release(self) -> None:
        """Stop reading, forget what waits, and wait for the threads; what the detector has in hand is not delivered."""
        self.released.set()
        self.counts.dropped += self.frames.remove(self.key)
        self._events.close()
        for thread in self._threads:
            if thread is not current_thread():  # a sink may release its own pipeline
                thread.join(LONGEST_GOODBYE)

    def _start(self, work: Callable, *arguments: Any) -> None:
        thread = Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, source: Iterable[bytes]) -> None:
        side = self.elements.get("resize", {}).get("side")
        try:
            for number, data in enumerate(source):
                if self.released.is_set():
                    return
                self.counts.read += 1
                self._prepare(number, data, side)
        except Exception as error:  # a camera that breaks down ends its own pipeline's frames, nobody else's
            self.counts.errors.append(f"source: {error!r}")

    def _prepare(self, number: int, data: bytes, side: int | None) -> None:
        captured = perf_counter()
        try:
            picture = decode(data)
            picture = resize(picture, side) if side else picture
        except ValueError as error:
            self.counts.errors.append(f"frame {number}: {error}")
            return
        if not self.frames.put(self.key, Frame(number, captured, picture)):
            self.counts.dropped += 1

    def _deliver(self) -> None:
        while events := self._events.take(largest=1):
            for _, event in events:
                self._tell(event)

    def _tell(self, event: Detection) -> None:
        with self._lock:
            sinks = list(self._sinks)
        for sink in sinks:
            try:
                sink(event)
                self.counts.delivered += 1
            except Exception as error:  # a sink is foreign code: it loses its subscription, and nothing else happens
                self.counts.errors.append(f"sink: {error!r}")
                with self._lock:
                    self._sinks.remove(sink)
