"""The job of LAVEA: one video frame whose licence plates are read (Yi et al. 2017 [106]; constants are ours).

The paper gives the programs and the machines, not their figures.  Work is therefore counted in processor cycles, as in
its own objective: cycles over the clock are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.system.link import Link

#: Frames from 640 x 480 to 1600 x 1200 (width, height).
SIZES = ((640, 480), (800, 600), (1024, 768), (1600, 1200))
#: A camera's JPEG needs about two bits per pixel.
BYTES_PER_PIXEL = 0.25
#: Mean seconds of one frame on one core of an edge node, over the four sizes.
MEAN_EDGE_SECONDS = 0.5
EDGE_CLOCK = 3.2e9
PIXELS = np.array([width * height for width, height in SIZES], dtype=float)
FRAME_BYTES = BYTES_PER_PIXEL * PIXELS
CYCLES_PER_PIXEL = MEAN_EDGE_SECONDS * EDGE_CLOCK / PIXELS.mean()
#: Cycles of one frame, by size.
FRAME_CYCLES = CYCLES_PER_PIXEL * PIXELS
#: Shares of a frame's cycles after acquisition: find the plate, straighten it, read it.
STAGES = ("extraction", "analysis", "reading")
STAGE_SHARES = (0.60, 0.15, 0.25)
#: Share of the frame that a plate covers, and the bytes of its uncompressed grey crop and of its text.
PLATE_SHARE = 0.02
TEXT_BYTES = 64.0


@dataclass(frozen=True)
class Machine:
    """Something that runs the stages of a frame.

    Attributes
    ----------
    name : str
    clock : float
        Cycles per second of the core that a frame occupies.
    """

    name: str
    clock: float

    def seconds(self, cycles):
        """Seconds that `cycles` take, any shape."""
        return np.asarray(cycles) / self.clock


SLOW_CLIENT = Machine("Raspberry Pi 2", 0.9e9)
FAST_CLIENT = Machine("Raspberry Pi 3", 1.2e9)
EDGE = Machine("edge node", EDGE_CLOCK)
CLOUD = Machine("cloud machine", EDGE_CLOCK)
TO_EDGE = Link("wireless LAN", rate=40e6, rtt=2e-3)
TO_CLOUD = Link("Internet", rate=10e6, rtt=60e-3)


def stage_cycles(pixels) -> np.ndarray:
    """Cycles of the three stages, shape (..., 3)."""
    return CYCLES_PER_PIXEL * np.asarray(pixels, dtype=float)[..., None] * np.array(STAGE_SHARES)


def stage_input_bytes(pixels) -> np.ndarray:
    """Bytes that enter each stage, shape (..., 3): the JPEG frame, the plate's crop, the straightened crop."""
    pixels = np.asarray(pixels, dtype=float)
    crop = PLATE_SHARE * pixels
    return np.stack([BYTES_PER_PIXEL * pixels, crop, crop], axis=-1)


def response(client: Machine, server: Machine | None, link: Link | None, sizes=FRAME_BYTES) -> np.ndarray:
    """Seconds of one unhindered frame of each size: on the client, or sent to a server.

    Examples
    --------
    >>> response(FAST_CLIENT, None, None).round(2).tolist()
    [0.47, 0.73, 1.2, 2.93]
    >>> response(FAST_CLIENT, EDGE, TO_EDGE).round(2).tolist()
    [0.19, 0.3, 0.49, 1.2]
    """
    cycles = CYCLES_PER_PIXEL * np.asarray(sizes) / BYTES_PER_PIXEL
    if server is None or link is None:
        return client.seconds(cycles)
    return link.transfer_time(sizes) + server.seconds(cycles)
