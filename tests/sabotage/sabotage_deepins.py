"""Wrong inspection lines: free exits, exits at random, fat feature maps, degrees of nothing."""

import dataclasses

import numpy as np
import torch

from edgedl_lib.inference.early_exit.inspection import factory, policy
from edgedl_lib.inference.early_exit.inspection.images import OK, RAW_BYTES, TYPES, Tiles, draw_tiles
from edgedl_lib.inference.early_exit.inspection.network import MAP_SIDE, SCALE_BYTES, ExitOutputs
from edgedl_lib.reproduce.sabotage import sabotage

COUNT = 2000
FOG_ACCURACY, SERVER_ACCURACY = 0.90, 0.96


def stand_in(seed=0) -> tuple[ExitOutputs, Tiles]:
    """Outputs of two exits as a trained network gives them: the fog's errors are mostly unsure, the server's few."""
    rng = np.random.default_rng(seed)
    kinds = torch.from_numpy(rng.integers(len(TYPES), size=COUNT))
    degrees = torch.where(kinds == OK, 0.0, torch.from_numpy(rng.uniform(0.2, 1, COUNT)).float())
    tiles = Tiles(torch.zeros(COUNT, 1, 1, 1), kinds, degrees)

    def answers(right_share, noise):
        right = torch.from_numpy(rng.random(COUNT) < right_share)
        wrong = (kinds + 1 + torch.from_numpy(rng.integers(len(TYPES) - 1, size=COUNT))) % len(TYPES)
        sure = torch.where(right, 2.5, 0.5) + torch.from_numpy(rng.normal(0, 0.7, COUNT)).float()
        scores = torch.zeros(COUNT, len(TYPES) + 1)
        scores[torch.arange(COUNT), torch.where(right, kinds, wrong)] = sure.clamp(min=0.01)
        scores[:, -1] = degrees + torch.from_numpy(rng.normal(0, noise, COUNT)).float()
        return scores

    server = answers(SERVER_ACCURACY, 0.08)
    return ExitOutputs(answers(FOG_ACCURACY, 0.15), server, server), tiles


@sabotage("deepins.accuracy_over_fog", "deepins.accuracy_over_server")
def sure_images_sent():
    """The comparison turned round: sure images go to the server, unsure ones are answered by the fog."""
    outputs, tiles = stand_in()
    right = policy.inspect(outputs, "split", 0.6)
    flipped = torch.where(right.at_fog[:, None], outputs.server, outputs.fog)
    accuracy = policy.Inspection(flipped, ~right.at_fog, right.sent_bytes).accuracy(tiles)
    fog, server = (policy.inspect(outputs, name).accuracy(tiles) for name in ("fog only", "server only"))
    few_sent = 0.02 * (server - fog)  # as many points as two percent of the images, sent at random, can win
    return {
        "deepins.accuracy_over_fog": 100 * few_sent,
        "deepins.accuracy_over_server": 100 * (accuracy - server),
    }


@sabotage("deepins.eeoi_comm_cost", "deepins.feature_over_raw")
def wide_float_maps():
    """Sending all 16 channels as float32 when half of the images leave early."""
    ratio = (4 * 16 * MAP_SIDE**2 + SCALE_BYTES) / RAW_BYTES
    return {"deepins.eeoi_comm_cost": 0.5 * ratio, "deepins.feature_over_raw": ratio}


@sabotage("deepins.eeoi_accuracy_vs_compressed")
def fog_exit_alone():
    """The fog's exit without a server against a squeezed model that keeps most of the whole network's accuracy."""
    outputs, tiles = stand_in()
    squeezed = policy.inspect(outputs, "server only").accuracy(tiles) - 0.02
    return 100 * (policy.inspect(outputs, "fog only").accuracy(tiles) - squeezed)


@sabotage("deepins.outputs")
def type_only():
    """A classifier of types has one answer."""
    return 1


@sabotage("deepins.degree_error")
def mean_degree():
    """Answering the mean degree of all defects."""
    tiles = draw_tiles(0, 300)
    degrees = tiles.degrees[tiles.kinds != OK]
    return float((degrees - degrees.mean()).square().mean().sqrt())


@sabotage("deepins.exit_monotone")
def probability_threshold_on_entropy():
    """The threshold of a probability applied to the entropy: raising it lets more images out."""
    outputs, _ = stand_in()
    logarithm = torch.log_softmax(outputs.fog[:, :-1], dim=1)
    entropy = -(logarithm.exp() * logarithm).sum(dim=1)
    ratios = [float((entropy < threshold).double().mean()) for threshold in policy.thresholds()]
    return int(np.sum(np.diff(ratios) > 0))


@sabotage("deepins.inspection_efficiency")
def exited_images_still_visit_the_server():
    """Images that the fog has answered go on to the server all the same."""
    flags = np.random.default_rng(0).random(500) < 0.8
    alone = factory.sweep_lines("server only", np.zeros(1, bool), 0, 30.0)
    times = factory.stations("split")
    p95 = []
    for count in alone.lines:
        products = factory.draw_products(0, int(count), 30.0, flags)
        everything = dataclasses.replace(products, at_fog=np.zeros(len(products.time), dtype=bool))
        p95.append(np.percentile(factory.run_factory(everything, times), 95))
    split = factory.LineSweep(alone.lines, np.array(p95), np.array(p95))
    return split.saturation / alone.saturation


@sabotage("deepins.single_line_wait")
def free_early_answers():
    """An early answer counted as free at the fog node."""
    products = factory.draw_products(0, 1, 20.0, np.array([True, False]))
    times = factory.stations("split")
    free = dataclasses.replace(times, fog=0.0)
    delays = factory.simulate_factory(products, free)
    return float(np.abs(delays - times.service(products.at_fog)).max())
