"""What a partition point costs, stage by stage: end device, link, server."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class StageTimes:
    """Seconds spent computing on the device, sending over the link and computing on the server.

    The fields are floats for one plan, or arrays that broadcast against each other for many plans at once.

    Examples
    --------
    >>> stages = StageTimes(device=0.25, link=0.5, server=0.125)
    >>> stages.total, stages.longest, stages.throughput
    (0.875, 0.5, 2.0)
    """

    device: float | np.ndarray
    link: float | np.ndarray
    server: float | np.ndarray

    @property
    def total(self):
        """Latency of one frame: the three stages one after the other (s)."""
        return self.device + self.link + self.server

    @property
    def longest(self):
        """Time between frames when the stages are pipelined: the slowest stage sets the pace (s)."""
        if all(np.ndim(stage) == 0 for stage in (self.device, self.link, self.server)):
            return max(self.device, self.link, self.server)
        return np.maximum(np.maximum(self.device, self.link), self.server)

    @property
    def throughput(self):
        """Frames per second of the pipeline; infinite if no stage takes any time."""
        with np.errstate(divide="ignore"):
            frames_per_second = np.divide(1.0, self.longest)
        return float(frames_per_second) if np.ndim(frames_per_second) == 0 else frames_per_second
