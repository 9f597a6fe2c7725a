"""What DeepDecision (Ran et al. 2018 [172]) knows before it decides: accuracy, latency and power over the video.

The paper measured these functions on a phone and a server.  Its tables were not readable, so the profile here is
analytic and every constant of it stands in this file; :mod:`.measured` replaces the accuracies by measured ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.radio import radio

MEGABIT = 1e6
WATT_HOUR = 3600.0  # J

PIXELS = (160**2, 224**2, 352**2)  # of a frame
BITRATES = np.arange(1, 101) * 0.1 * MEGABIT  # bit/s; an H.264 stream cannot go to zero
FRAME_RATES = np.arange(1, 61) * 0.5  # 1/s; a camera gives 30 at most

LOCAL_LATENCY = (0.400, 0.600, 1.100)  # s per frame of the small network on the phone, one per resolution
REMOTE_LATENCY = (0.030, 0.030, 0.030)  # s per frame of the large network on the server's GPU
NETWORK_DELAY = 0.010  # s, the frame's and the answer's way without the transfer itself
REMOTE_ACCURACY, LOCAL_ACCURACY = 0.75, 0.50  # of the large and the small network on perfect video, at once
PIXEL_SCALE = 160.0**2  # pixels at which 1 - 1/e of the accuracy is reached
BITRATE_SCALE = 1.0 * MEGABIT  # bit/s, likewise
DELAY_SCALE = 0.5  # s after which 1/e of the annotations still lie on their objects

CAMERA_POWER = 0.5  # W
COMPUTE_POWER = 3.0  # W of the phone while its network runs
ENCODING_ENERGY = 0.010  # J per frame
BATTERY = 11.55 * WATT_HOUR  # J, Galaxy S7

Quality = Callable[[ArrayLike, ArrayLike], np.ndarray]
"""Accuracy without delay, from pixels and bitrate (bit/s) of the video."""


@dataclass(frozen=True)
class SaturatingQuality:
    """``best * (1 - exp(-pixels / pixel_scale)) * (1 - exp(-bitrate / bitrate_scale))``.

    A detector on the phone sees frames that were never encoded: its bitrate is infinite.

    Examples
    --------
    >>> quality = SaturatingQuality(0.75)
    >>> round(float(quality(160**2, np.inf)), 3), float(quality(160**2, 0.0))
    (0.474, 0.0)
    """

    best: float
    pixel_scale: float = PIXEL_SCALE
    bitrate_scale: float = BITRATE_SCALE

    def __call__(self, pixels: ArrayLike, bitrate: ArrayLike) -> np.ndarray:
        sharpness = 1 - np.exp(-np.asarray(pixels) / self.pixel_scale)
        return self.best * sharpness * (1 - np.exp(-np.asarray(bitrate) / self.bitrate_scale))


@dataclass(frozen=True)
class Detector:
    """A network that annotates frames.

    Attributes
    ----------
    name : str
    remote : bool
        On the edge server, behind the link; else on the phone.
    latency : tuple of float
        Seconds of computing per frame, one per resolution of the profile.
    quality : callable
    """

    name: str
    remote: bool
    latency: tuple[float, ...]
    quality: Quality


@dataclass(frozen=True)
class Profile:
    """Everything that a decision depends on, except link and goal.

    Attributes
    ----------
    detectors : tuple of Detector
    pixels : tuple of int
        Resolutions.
    bitrates, frame_rates : ndarray
        Grids of what the encoder and the camera can be set to (bit/s, 1/s), ascending.
    network_delay, delay_scale : float
        Seconds.
    camera_power, compute_power : float
        Watts.
    encoding_energy : float
        Joules per frame.
    """

    detectors: tuple[Detector, ...]
    pixels: tuple[int, ...] = PIXELS
    bitrates: np.ndarray = field(default_factory=lambda: BITRATES, repr=False)
    frame_rates: np.ndarray = field(default_factory=lambda: FRAME_RATES, repr=False)
    network_delay: float = NETWORK_DELAY
    delay_scale: float = DELAY_SCALE
    camera_power: float = CAMERA_POWER
    compute_power: float = COMPUTE_POWER
    encoding_energy: float = ENCODING_ENERGY

    def __post_init__(self) -> None:
        for detector in self.detectors:
            if len(detector.latency) != len(self.pixels):
                raise ValueError(
                    f"detector {detector.name!r} has {len(detector.latency)} latencies for {len(self.pixels)} "
                    "resolutions; give one per resolution"
                )

    def only(self, *, remote: bool) -> Profile:
        """The same profile without the detectors of the other side."""
        return replace(self, detectors=tuple(d for d in self.detectors if d.remote == remote))

    def latency(self, detector: Detector, resolution: int, bitrate, frame_rate, bandwidth) -> np.ndarray:
        """Seconds from a frame to its annotation, ``bitrate / (frame_rate * bandwidth) + ...`` behind the link."""
        computing = detector.latency[resolution]
        if not detector.remote:
            return computing + np.zeros(np.broadcast_shapes(np.shape(frame_rate), np.shape(bandwidth)))
        with np.errstate(divide="ignore"):
            sending = np.asarray(bitrate) / np.asarray(frame_rate) / np.asarray(bandwidth, dtype=float)
        return sending + computing + self.network_delay

    def accuracy(self, detector: Detector, resolution: int, bitrate, latency) -> np.ndarray:
        """Accuracy against the *current* frame: what moved while the answer was on its way is missed."""
        return self.seen(detector, resolution, bitrate) * self.fresh(latency)

    def seen(self, detector: Detector, resolution: int, bitrate) -> np.ndarray:
        """Accuracy against the frame that was looked at."""
        return detector.quality(self.pixels[resolution], bitrate if detector.remote else np.inf)

    def fresh(self, latency) -> np.ndarray:
        """Share of annotations that still lie on their objects after `latency` seconds."""
        return np.exp(-np.asarray(latency) / self.delay_scale)

    def fixed_power(self, detector: Detector, bitrate) -> np.ndarray:
        """Watts that do not depend on the frame rate: the camera and the radio."""
        if not detector.remote:
            return self.camera_power + np.zeros(np.shape(bitrate))
        wifi = radio("wifi")
        return self.camera_power + wifi.base_power + wifi.uplink_energy_per_bit * np.asarray(bitrate)

    def energy_per_frame(self, detector: Detector, resolution: int) -> float:
        """Joules: computing on the phone, or encoding for the link."""
        return self.encoding_energy if detector.remote else self.compute_power * detector.latency[resolution]

    def power(self, detector: Detector, resolution: int, bitrate, frame_rate) -> np.ndarray:
        """Watts that the phone draws."""
        return self.fixed_power(detector, bitrate) + self.energy_per_frame(detector, resolution) * np.asarray(
            frame_rate
        )


def phone_profile(**changes) -> Profile:
    """The stated profile: a large network on the edge server, a small one on the phone; `changes` replace constants."""
    large = Detector("large network, edge", True, REMOTE_LATENCY, SaturatingQuality(REMOTE_ACCURACY))
    small = Detector("small network, phone", False, LOCAL_LATENCY, SaturatingQuality(LOCAL_ACCURACY))
    return replace(Profile((large, small)), **changes)
