"""The reader's own machine as a :class:`Device`: measured by ``edgedl profile``, read as ``device("host")``.

Two peaks are measured, then a grid of layers is timed, and for each kind of layer the roofline's two efficiencies and
its overhead are fitted to the logarithms of the latencies, so that small layers count as much as large ones.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgedl_lib.system.device import Calibration, Device

SCHEMA = 1
HOST_FILE_VARIABLE = "EDGEDL_HOST_FILE"
SECONDS_PER_LAYER = 0.18  # some 33 layers: six seconds in all

#: The two peaks are measured again before every so many layers, and the best counts: on a machine with other tenants a
#: roof measured once may lie below the layers under it.
LAYERS_PER_ROOF = 7
ROOFS_UNTIL = 10.0  # seconds; a slow machine measures its roofs less often rather than for longer

#: No cache in a machine of today is faster than its memory by more than this.
CACHE_GAIN = 50.0

#: ``progress(done, total, label)``: called before every step, and once more at the end.
Progress = Callable[[int, int, str], None]


class HostFileError(ValueError):
    """The host file is missing or unreadable; the message names the command that writes it."""


@dataclass(frozen=True)
class LayerTiming:
    """Median and minimum latency (s) of one layer of the grid, with its FLOP and the bytes it moves."""

    kind: str
    config: str
    flop: float
    bytes_moved: float
    latency: float
    minimum: float


@dataclass(frozen=True)
class HostProfile:
    """What ``edgedl profile`` measured.

    Attributes
    ----------
    machine : str
        Processor and operating system.
    measured_at : str
        UTC time.
    peak_flop_per_s, memory_bandwidth : float
        FLOP/s and bytes/s, one thread.  The peak is that of the matrix product, or of a layer that was faster: a roof
        with a measured point above it is no roof.
    gemm_flop_per_s : float
        Rate of the matrix product alone.
    overall : Calibration
        Fitted to all layers of the grid.
    by_kind : dict of str to Calibration
        Fitted to the layers of one kind.
    layers : tuple of LayerTiming
    seconds : float
        How long measuring took.
    """

    machine: str
    measured_at: str
    peak_flop_per_s: float
    memory_bandwidth: float
    gemm_flop_per_s: float
    overall: Calibration
    by_kind: dict[str, Calibration]
    layers: tuple[LayerTiming, ...]
    seconds: float

    def device(self) -> Device:
        """This machine on the roofline; the power of a laptop is not measured, so it stays unknown."""
        return Device(
            name="host",
            peak_flop_per_s=self.peak_flop_per_s,
            memory_bandwidth=self.memory_bandwidth,
            compute_efficiency=self.overall.compute_efficiency,
            bandwidth_efficiency=self.overall.bandwidth_efficiency,
            overhead=self.overall.overhead,
            calibration=f"fitted to {len(self.layers)} layers timed on this machine, one thread, {self.measured_at}",
            source=f"edgedl profile on {self.machine}",
            evidence="measured",
            by_kind=self.by_kind,
        )


def host_file() -> Path:
    """Where the profile of this machine lies: ``$EDGEDL_HOST_FILE``, or the repository's ``build/host-device.json``."""
    chosen = os.environ.get(HOST_FILE_VARIABLE)
    return Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "build" / "host-device.json"


def measure_host(
    progress: Progress | None = None, *, seed: int = 0, seconds_per_layer: float = SECONDS_PER_LAYER
) -> HostProfile:
    """Measure this machine on one thread, in about ten seconds.

    Parameters
    ----------
    progress : callable, optional
        ``progress(done, total, label)``.
    seed : int
        For the tensors' contents.
    seconds_per_layer : float
        Time spent on each layer of the grid.
    """
    from edgedl_lib.system import host_layers

    report = progress or (lambda done, total, label: None)
    began = time.perf_counter()
    with host_layers.one_thread():
        cases = host_layers.layer_cases(seed)
        peaks, bandwidths, layers = [], [], []
        for done, case in enumerate(cases):
            report(done, len(cases), f"{case.kind} {case.config}")
            if not peaks or (done % LAYERS_PER_ROOF == 0 and time.perf_counter() - began < ROOFS_UNTIL):
                peaks.append(host_layers.measure_peak())
                bandwidths.append(host_layers.measure_bandwidth())
            latencies = host_layers.latency_of(case.call, seconds_per_layer)
            layers.append(LayerTiming(case.kind, case.config, case.flop, case.bytes_moved, *latencies))
        report(len(cases), len(cases), "done")
    return _profile(max(peaks), max(bandwidths), tuple(layers), time.perf_counter() - began)


def fit_calibration(
    layers: tuple[LayerTiming, ...],
    peak_flop_per_s: float,
    memory_bandwidth: float,
    highest_bandwidth_efficiency: float = 1.0,
) -> Calibration:
    """Efficiencies and overhead of the roofline that fit timed layers best, in the least squares of log latency.

    The minimum is fitted, as the peaks are the best of several: both describe the machine and not its other tenants.

    Parameters
    ----------
    layers : tuple of LayerTiming
    peak_flop_per_s, memory_bandwidth : float
        FLOP/s and bytes/s.
    highest_bandwidth_efficiency : float
        Above 1 if the layers may work from a cache.

    Returns
    -------
    Calibration
        An efficiency that the layers do not show (none of them is bound by that peak) stays near its starting point.
    """
    from scipy.optimize import least_squares

    flop, moved, latency = np.array([[layer.flop, layer.bytes_moved, layer.minimum] for layer in layers]).T
    compute, memory = flop / peak_flop_per_s, moved / memory_bandwidth  # ideal times, (L,)

    def residual(logarithms: np.ndarray) -> np.ndarray:
        compute_efficiency, bandwidth_efficiency, overhead = np.exp(logarithms)
        predicted = np.maximum(compute / compute_efficiency, memory / bandwidth_efficiency) + overhead
        return np.log(predicted / latency)

    bounds = np.log([[1e-4, 1e-4, 1e-9], [1.0, highest_bandwidth_efficiency, latency.min()]])
    starts = [np.log([start, other, latency.min() / 2]) for start in (0.6, 0.1) for other in (0.6, 0.1)]
    best = min((least_squares(residual, start, bounds=bounds) for start in starts), key=lambda fit: fit.cost)
    highest = [1.0, highest_bandwidth_efficiency, np.inf]
    return Calibration(*(float(value) for value in np.minimum(np.exp(best.x), highest)))


def write_host(profile: HostProfile, path: str | os.PathLike | None = None) -> Path:
    """Write a profile as JSON, whole or not at all, and return where."""
    path = Path(path) if path is not None else host_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            json.dump({"schema": SCHEMA, **asdict(profile)}, stream, indent=1)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def read_host(path: str | os.PathLike | None = None) -> HostProfile:
    """Read the profile of this machine.

    Raises
    ------
    HostFileError
        If it is missing, corrupt, or of another version.
    """
    path = Path(path) if path is not None else host_file()
    if not path.is_file():
        raise HostFileError(f"this machine has not been measured ({path} is missing): run `edgedl profile` once")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.pop("schema") != SCHEMA:
            raise ValueError("another version wrote it")
        profile = _from_json(stored)
        profile.device()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HostFileError(f"{path} holds no usable host profile ({error}): run `edgedl profile` again") from error
    return profile


def profile_host_command(path: str | os.PathLike | None = None) -> Path:
    """What ``edgedl profile`` does: measure with a progress bar, write the host file, say what came out."""
    from tqdm import tqdm

    with tqdm(total=1, unit="step", disable=None, leave=False) as bar:

        def show(done: int, total: int, label: str) -> None:
            bar.total = total
            bar.set_description(label[:32].ljust(32), refresh=False)
            bar.update(done - bar.n)

        profile = measure_host(show)
    written = write_host(profile, path)
    print(
        f"{profile.machine}: {profile.peak_flop_per_s / 1e9:.1f} GFLOP/s float32 and "
        f"{profile.memory_bandwidth / 1e9:.1f} GB/s on one thread, {len(profile.layers)} layers timed in "
        f'{profile.seconds:.1f} s\nwritten to {written}; notebooks find it as device="host"'
    )
    return written


def _profile(gemm: float, bandwidth: float, layers: tuple[LayerTiming, ...], seconds: float) -> HostProfile:
    peak = max(gemm, *(layer.flop / layer.minimum for layer in layers))
    kinds = dict.fromkeys(layer.kind for layer in layers)
    return HostProfile(
        machine=f"{_processor()}, {platform.system()}",
        measured_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        peak_flop_per_s=peak,
        memory_bandwidth=bandwidth,
        gemm_flop_per_s=gemm,
        overall=fit_calibration(layers, peak, bandwidth),
        by_kind={
            kind: fit_calibration(tuple(layer for layer in layers if layer.kind == kind), peak, bandwidth, CACHE_GAIN)
            for kind in kinds
        },
        layers=layers,
        seconds=seconds,
    )


def _from_json(stored: dict) -> HostProfile:
    return HostProfile(
        **{
            **stored,
            "overall": Calibration(**stored["overall"]),
            "by_kind": {kind: Calibration(**fitted) for kind, fitted in stored["by_kind"].items()},
            "layers": tuple(LayerTiming(**layer) for layer in stored["layers"]),
        }
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
