"""What each layer takes when it runs as in a split run: once in a while, after a pause, and not in a hot loop.

A loop that runs the same layers again and again finds its weights in the cache and the processor awake.  Between two
queries of a split run a process waits for the link; its next layer takes up to a third longer than the loop says.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from edgedl_lib.inference.split.network import GREY_LEVELS, ChainNetwork, random_image, run_between

PAUSE_SECONDS = 0.01


def profile_cold(network: ChainNetwork, rounds: int = 10, pause: float = PAUSE_SECONDS) -> np.ndarray:
    """Median latency of each layer over `rounds` passes through the network, each after a pause.

    Parameters
    ----------
    network : ChainNetwork
    rounds : int
    pause : float
        Seconds of sleep before each pass.

    Returns
    -------
    numpy.ndarray, shape (N,), s

    Raises
    ------
    ValueError
        If there are no rounds.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds measure nothing; ask for at least 1")
    image = torch.from_numpy(random_image(network.graph)).to(torch.float32) / GREY_LEVELS
    return np.median([_one_pass(network, image, pause) for _ in range(rounds)], axis=0)


def _one_pass(network: ChainNetwork, values: torch.Tensor, pause: float) -> list[float]:
    time.sleep(pause)
    seconds = []
    with torch.inference_mode():
        for layer in range(network.layer_count):
            begun = time.perf_counter()
            values = run_between(network.model, values, layer, layer + 1)
            seconds.append(time.perf_counter() - begun)
    return seconds
