"""The service: create a pipeline, connect a camera, subscribe to what it sees, release it.

Applications name tasks and models; threads, lines, batches and the framework stay behind this file.  It serves within
one process; EdgeEye [108] offers the same life cycle over HTTP and WebSocket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from threading import Lock, Thread
from typing import Any

from edgedl_lib.offloading.integral.edgeeye.engines import Engine
from edgedl_lib.offloading.integral.edgeeye.lines import Lines
from edgedl_lib.offloading.integral.edgeeye.pipeline import Counts, Detection, Pipeline, PipelineError, check_elements

LINE_LENGTH = 4  # frames of one pipeline that wait for the detector before the oldest is dropped


class EdgeEye:
    """Pipelines that share detectors; use it as a context manager, or call :meth:`close`.

    Parameters
    ----------
    engines : mapping of model name to Engine
        Each model has one worker, which takes the frames of all its pipelines in turn.
    line_length : int
        Frames of one pipeline that may wait.
    """

    def __init__(self, engines: Mapping[str, Engine], line_length: int = LINE_LENGTH) -> None:
        self._lines = {name: Lines(line_length) for name in engines}
        self._pipelines: dict[int, Pipeline] = {}
        self._keys, self._lock = count(1), Lock()
        self._workers = [Thread(target=self._work, args=(name, engines[name]), daemon=True) for name in engines]
        for worker in self._workers:
            worker.start()

    def create(self, elements: Sequence[Mapping[str, Any]]) -> int:
        """A new pipeline from its elements; returns its key.

        Raises
        ------
        PipelineError
            For an unknown element or model, or a wrong order.
        """
        parts = check_elements(elements, self._lines)
        with self._lock:
            key = next(self._keys)
            self._pipelines[key] = Pipeline(key, parts, self._lines[parts["detect"]["model"]])
        return key

    def connect(self, pipeline: int, source: Iterable[bytes]) -> None:
        """Let a pipeline read encoded frames from `source`."""
        self._find(pipeline).connect(source)

    def subscribe(self, pipeline: int, sink: Callable[[Detection], None]) -> None:
        """Call `sink` with every :class:`~.pipeline.Detection` of a pipeline."""
        self._find(pipeline).subscribe(sink)

    def counts(self, pipeline: int) -> Counts:
        """What happened to the pipeline's frames so far."""
        return self._find(pipeline).counts

    def wake_ups(self, model: str) -> int:
        """How often the model's worker had to look for frames."""
        return self._lines[model].wake_ups

    def release(self, pipeline: int) -> Counts:
        """End a pipeline; frames under way are not delivered.  Returns its final counts."""
        with self._lock:
            found = self._pipelines.pop(pipeline, None)
        if found is None:
            raise PipelineError(f"pipeline {pipeline} does not exist or is released: create one first")
        found.release()
        return found.counts

    def close(self) -> None:
        """Release all pipelines and end the workers."""
        for key in list(self._pipelines):
            self.release(key)
        for line in self._lines.values():
            line.close()
        for worker in self._workers:
            worker.join()

    def __enter__(self) -> EdgeEye:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _find(self, pipeline: int) -> Pipeline:
        with self._lock:
            if pipeline not in self._pipelines:
                raise PipelineError(f"pipeline {pipeline} does not exist or is released: create one first")
            return self._pipelines[pipeline]

    def _work(self, model: str, engine: Engine) -> None:
        while batch := self._lines[model].take(engine.largest_batch):
            try:
                scores = engine.infer([frame.picture for _, frame in batch])
            except Exception as error:  # pictures that the model cannot take fail their batch, not the worker
                for pipeline in {key: self._alive(key) for key, _ in batch}.values():
                    if pipeline:
                        pipeline.counts.errors.append(f"engine: {error!r}")
                continue
            for (key, frame), row in zip(batch, scores, strict=True):
                if pipeline := self._alive(key):
                    pipeline.deliver(frame, row)

    def _alive(self, key: int) -> Pipeline | None:
        """The pipeline, unless it was released meanwhile."""
        pipeline = self._pipelines.get(key)
        return None if pipeline is None or pipeline.released.is_set() else pipeline
