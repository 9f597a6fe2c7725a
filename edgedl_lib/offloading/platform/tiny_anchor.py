"""MLPerf Tiny v0.5 as an anchor: what a Cortex-M4 and a Raspberry Pi 4 really reach on four small networks.

A microcontroller draws the same power whatever it computes, so energy is power times time; and it reaches a tenth of
its data sheet's two multiply-accumulates a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform.facts import facts

#: Task to reference model: keyword spotting, visual wake words, image classification, anomaly detection.
TASKS = {"kws": "ds_cnn_kws", "vww": "mobilenet_v1_vww", "ic": "resnet_ic", "ad": "autoencoder_ad"}


@dataclass(frozen=True)
class AnchorRow:
    """One task on the Cortex-M4 (Nucleo-L4R5ZI, 120 MHz) and the Raspberry Pi 4.

    Attributes
    ----------
    task : str
    macs : int
        Multiply-accumulates of our layer graph.
    rate : float
        Reported inferences/s.
    energy, predicted_energy : float
        Reported joules per inference; mean power times reported time.
    predicted_rate : float
        Inferences/s from the MACs, with the mean MACs per cycle of the other three tasks.
    int8_speedup : float
        Float32 over int8 latency on the Raspberry Pi 4.
    """

    task: str
    macs: int
    rate: float
    energy: float
    predicted_energy: float
    predicted_rate: float
    int8_speedup: float

    @property
    def power(self) -> float:
        """Mean watts during inference."""
        return self.energy * self.rate

    @property
    def macs_per_cycle(self) -> float:
        """Multiply-accumulates per clock cycle of the Cortex-M4."""
        return self.macs * self.rate / facts("mlperf_tiny", "cortex-m4")["clock"]


def task_macs(task: str) -> int:
    """Multiply-accumulates of a task's reference model, from our layer graph."""
    return model(_model_name(task)).mac


def predicted_energy(rate: float) -> float:
    """Joules per inference of the Cortex-M4 at a rate in inferences/s: its mean power times the time."""
    return facts("mlperf_tiny", "cortex-m4")["mean_power"] / rate


def predicted_rate(task: str) -> float:
    """Inferences/s of a task from its MACs and the geometric mean of the MACs/s that the other tasks reach."""
    others = [task_macs(other) * facts("mlperf_tiny", other)["m4_rate"] for other in TASKS if other != task]
    return float(np.exp(np.mean(np.log(others)))) / task_macs(task)


def tiny_study() -> dict[str, AnchorRow]:
    """All four tasks: reported figures beside the models' predictions."""
    rows = {}
    for task in TASKS:
        log = facts("mlperf_tiny", task)
        rows[task] = AnchorRow(
            task=task,
            macs=task_macs(task),
            rate=log["m4_rate"],
            energy=log["m4_energy"],
            predicted_energy=predicted_energy(log["m4_rate"]),
            predicted_rate=predicted_rate(task),
            int8_speedup=log["rpi4_float32_latency"] / log["rpi4_int8_latency"],
        )
    return rows


def mean_power() -> float:
    """Mean watts of the Cortex-M4 board over the four tasks."""
    return float(np.mean([row.power for row in tiny_study().values()]))


def _model_name(task: str) -> str:
    if task not in TASKS:
        raise KeyError(f"MLPerf Tiny has no task {task!r}: use one of {', '.join(TASKS)}")
    return TASKS[task]
