"""On the camera or at the edge: when does a link of a given rate make offloading worth its while?

The survey prints no figure for EdgeEye [108], so the profile is ours: what matters is where the two curves cross.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.system.link import BITS_PER_BYTE, Link
from edgedl_lib.system.simulator.parts import Channel, Processor

MEGABIT = 1e6


@dataclass(frozen=True)
class Deployment:
    """A camera, an edge server and the Wi-Fi between them.

    Attributes
    ----------
    edge_seconds : float
        Per frame at the edge.
    slow_down : float
        How many times slower the camera computes.
    frame_bytes : float
        Compressed frame.
    round_trip : float
        Seconds.
    frame_rate : float
        Frames/s of each camera.
    """

    edge_seconds: float = 0.020
    slow_down: float = 5.0
    frame_bytes: float = 30_000.0
    round_trip: float = 0.005
    frame_rate: float = 5.0

    @property
    def camera_seconds(self) -> float:
        """Seconds per frame on the camera."""
        return self.slow_down * self.edge_seconds

    def offloaded_seconds(self, rate: float) -> float:
        """Seconds per frame over a link of `rate` bit/s, nobody else around."""
        return Link("Wi-Fi", rate, rtt=self.round_trip).transfer_time(self.frame_bytes) + self.edge_seconds

    def gain(self, rate: float) -> float:
        """On-camera time over offloaded time: above one, offloading wins.

        >>> round(Deployment().gain(20e6), 2)
        2.7
        """
        return self.camera_seconds / self.offloaded_seconds(rate)

    def crossover(self) -> float:
        """Rate (bit/s) at which both take as long; infinite if the camera is always as fast.

        >>> Deployment().crossover()
        3200000.0
        """
        left = self.camera_seconds - self.edge_seconds - self.round_trip
        return BITS_PER_BYTE * self.frame_bytes / left if left > 0 else float("inf")


def shared_latency(deployment: Deployment, rate: float, cameras: int, frames: int, seed: int) -> np.ndarray:
    """Seconds of every frame when several cameras share one Wi-Fi channel and one server, simulated.

    Cameras begin at random moments of their period; the channel is shared among transfers, the server is first come,
    first served.

    Returns
    -------
    ndarray, shape (cameras * frames,)
    """
    from simpy import Environment

    environment = Environment()
    wifi = Channel(environment, "Wi-Fi", rate, latency=deployment.round_trip, discipline="sharing")
    server = Processor(environment, "edge server", level="edge")
    latencies: list[float] = []

    def send(captured: float):
        yield environment.timeout(captured)
        yield wifi.send(deployment.frame_bytes)
        yield server.execute(seconds=deployment.edge_seconds)
        latencies.append(environment.now - captured)

    phases = np.random.default_rng(seed).uniform(0, 1 / deployment.frame_rate, cameras)
    for captured in (phases[:, None] + np.arange(frames) / deployment.frame_rate).ravel():
        environment.process(send(float(captured)))
    environment.run()
    return np.array(latencies)


def cameras_served(deployment: Deployment, rate: float, counts: Sequence[int], frames: int, seed: int) -> np.ndarray:
    """95th percentile (s) of the latency for each number of cameras."""
    return np.array([np.percentile(shared_latency(deployment, rate, n, frames, seed), 95) for n in counts])
