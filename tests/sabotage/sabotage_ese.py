"""Wrong prunings, wrong counts and wrong rivals for ESE."""

import numpy as np

from edgedl_lib.offloading.platform import load_balance
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.reproduce.sabotage import sabotage


def _dense_seconds():
    ese = facts("sparse_accelerators", "ese")
    weights = sum(rows * columns for rows, columns in load_balance.lstm_shapes())
    return weights / ese["processing_elements"] / ese["clock"]


@sabotage("ese.rnn_trend", "ese.latency")
def matrix_left_dense():
    """The same processing elements without pruning."""
    seconds = _dense_seconds()
    slowest = min(facts("sparse_accelerators", f"ese {name}")["sparse_latency"] for name in ("cpu", "gpu"))
    return {"ese.rnn_trend": slowest / seconds, "ese.latency": seconds * 1e6}


@sabotage("ese.rnn_energy_trend")
def channels_one_after_another():
    """Each of the 32 channels streams the weights for itself."""
    study, channels = load_balance.ese_study(), facts("sparse_accelerators", "ese")["channels"]
    return min(study.energy_ratio(name) for name in ("cpu", "gpu")) / channels


@sabotage("ese.compression")
def index_is_free():
    """12-bit weights against 32-bit ones, without the 4-bit index of each."""
    ese = facts("sparse_accelerators", "ese")
    return 32 / ese["weight_bits"] / ese["density"]


@sabotage("ese.sparse_rate", "ese.dense_rate")
def one_channel_and_dense_work():
    """Counting all weights as sparse work, and one channel instead of 32 as the dense one."""
    study, channels = load_balance.ese_study(), facts("sparse_accelerators", "ese")["channels"]
    return {"ese.sparse_rate": study.dense_rate / 1e9, "ese.dense_rate": study.dense_rate / channels / 1e12}


@sabotage("ese.speed_cpu", "ese.speed_gpu")
def other_rows_of_the_table():
    """The dense CPU run, and ESE's theoretical time instead of the measured one."""
    table = {name: facts("sparse_accelerators", name) for name in ("ese", "ese cpu", "ese gpu")}
    return {
        "ese.speed_cpu": table["ese cpu"]["dense_latency"] / table["ese"]["latency"],
        "ese.speed_gpu": table["ese gpu"]["sparse_latency"] / table["ese"]["theoretical_latency"],
    }


@sabotage("ese.energy_cpu", "ese.energy_gpu")
def time_for_energy():
    """The speed-up alone, and the truncated 3x times the power ratio."""
    study, latency = load_balance.ese_study(), load_balance.published_latency()
    watts = facts("sparse_accelerators", "ese gpu")["sparse_power"] / facts("sparse_accelerators", "ese")["power"]
    return {"ese.energy_cpu": study.speedup("cpu", latency), "ese.energy_gpu": 3 * watts}


@sabotage("ese.balance_gain", "ese.balanced_spread", "ese.plain_balance_drop")
def one_threshold_called_balanced():
    """Pruning with one threshold and calling it balanced; balance measured as mean over mean."""
    weights = np.random.default_rng(0).standard_normal((512, 256))
    mask = load_balance.prune(weights, 0.1)
    return {
        "ese.balance_gain": load_balance.cycles(mask, 32) / load_balance.cycles(mask, 32),
        "ese.balanced_spread": int(np.ptp(load_balance.load(mask, 32))),
        "ese.plain_balance_drop": float(np.mean(load_balance.load(mask, 8)) / np.mean(load_balance.load(mask, 8)) - 1),
    }


@sabotage("ese.task_loss_difference")
def balanced_without_retraining():
    """Comparing a network that was cut and left alone with one that was retrained."""
    from edgedl_lib.offloading.platform.load_balance_task import task_study

    untrained, retrained = (task_study(hidden=64, steps=40, retraining=steps).balanced_loss for steps in (0, 12))
    return 100 * (untrained / retrained - 1)
