"""What is asked of EdgeEye [108]: frames per second of two engines, streams side by side, and streams that break."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event, Semaphore
from time import perf_counter

import numpy as np

from edgedl_lib.offloading.integral.edgeeye.engines import Engine, FrameworkEngine, OptimisedEngine
from edgedl_lib.offloading.integral.edgeeye.network import DETECTOR_SIDE
from edgedl_lib.offloading.integral.edgeeye.pipeline import Detection
from edgedl_lib.offloading.integral.edgeeye.service import EdgeEye
from edgedl_lib.system.timing import measure_in_turn, ratio_in_turn

QUEUED = 8  # frames that wait when the engines are compared
WINDOWS = 21
LONGEST_RUN = 20.0  # s after which a run that hangs is given up
ELEMENTS = (
    {"element": "decode"},
    {"element": "resize", "side": DETECTOR_SIDE},
    {"element": "detect", "model": "digits"},
    {"element": "sink"},
)


@dataclass(frozen=True)
class EngineSpeed:
    """Frames per second of both engines for a number of queued frames.

    Attributes
    ----------
    queued : int
    framework, optimised : float
        1/s, from the median window.
    speed_up : float
        Median of the ratios of windows that ran next to each other.
    """

    queued: int
    framework: float
    optimised: float
    speed_up: float


def engine_speed(network, pictures: Sequence[np.ndarray], queued: int, windows: int = WINDOWS) -> EngineSpeed:
    """Time both engines on the same queued frames, in turn."""
    frames = list(pictures[:queued])
    engines: dict[str, Engine] = {"framework": FrameworkEngine(network), "optimised": OptimisedEngine(network, queued)}
    calls = {name: _bound(engine, frames) for name, engine in engines.items()}
    timings = measure_in_turn(calls, windows=windows)
    rates = {name: len(frames) / timing.median for name, timing in timings.items()}
    return EngineSpeed(queued, speed_up=ratio_in_turn(timings["framework"], timings["optimised"]), **rates)


def _bound(engine: Engine, frames: list[np.ndarray]) -> Callable[[], np.ndarray]:
    return lambda: engine.infer(frames)


class Camera:
    """Frames for one stream with at most `window` of them unanswered; doubles as the stream's sink."""

    def __init__(self, frames: Sequence[bytes], window: int) -> None:
        self.frames, self.detections, self.done = frames, [], Event()
        self._unanswered = Semaphore(window)

    def __iter__(self) -> Iterator[bytes]:
        for frame in self.frames:
            self._unanswered.acquire()
            yield frame

    def __call__(self, detection: Detection) -> None:
        self.detections.append(detection)
        self._unanswered.release()
        if len(self.detections) == len(self.frames):
            self.done.set()


@dataclass(frozen=True)
class Streams:
    """Several streams through the service, as fast as it answers.

    Attributes
    ----------
    count : int
        Streams.
    frames_per_second : float
        Of all streams together.
    p95_latency : float
        Seconds from reading a frame to its delivery.
    labels : tuple of list of int
        Answers of each stream in the order of its frames.
    """

    count: int
    frames_per_second: float
    p95_latency: float
    labels: tuple[list[int], ...]


def run_streams(engine: Engine, frames: Sequence[bytes], count: int, window: int = 4) -> Streams:
    """Every stream sends all `frames` with `window` of them under way.

    Raises
    ------
    TimeoutError
        If the service does not answer.
    """
    cameras = [Camera(frames, window) for _ in range(count)]
    with EdgeEye({"digits": engine}, line_length=window) as service:
        pipelines = [service.create(ELEMENTS) for _ in cameras]
        for pipeline, camera in zip(pipelines, cameras, strict=True):
            service.subscribe(pipeline, camera)
        start = perf_counter()
        for pipeline, camera in zip(pipelines, cameras, strict=True):
            service.connect(pipeline, camera)
        if not all(camera.done.wait(LONGEST_RUN) for camera in cameras):
            raise TimeoutError(f"{count} streams were not served within {LONGEST_RUN:g} s: is the engine stuck?")
        seconds = perf_counter() - start
    latencies = [detection.latency for camera in cameras for detection in camera.detections]
    labels = tuple([each.label for each in sorted(camera.detections, key=lambda d: d.number)] for camera in cameras)
    return Streams(count, count * len(frames) / seconds, float(np.percentile(latencies, 95)), labels)


def beside_a_crash(engine: Engine, frames: Sequence[bytes]) -> float:
    """Share (%) of a stream's frames that are delivered beside a stream whose sink crashes at once."""
    camera = Camera(frames, window=2)
    with EdgeEye({"digits": engine}) as service:
        broken, healthy = service.create(ELEMENTS), service.create(ELEMENTS)
        service.subscribe(broken, crashing_sink)
        service.subscribe(healthy, camera)
        service.connect(broken, list(frames))
        service.connect(healthy, camera)
        camera.done.wait(LONGEST_RUN)
    return 100 * len(camera.detections) / len(frames)


def crashing_sink(detection: Detection) -> None:
    """A client's code with a fault in it."""
    raise RuntimeError("the client's fault")
