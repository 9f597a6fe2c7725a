"""Wrong counts, wrong accounting and wrong exits for BranchyNet."""

import math

import numpy as np
import torch
from torch import nn

from edgedl_lib.inference.early_exit import branchynet, curves, published
from edgedl_lib.inference.early_exit.accounting import ExitCosts, mac_costs
from edgedl_lib.nets.layers import pool
from edgedl_lib.reproduce.sabotage import sabotage

LENET = ExitCosts((112_500, 1_027_570), (107_650, 0))
ALEXNET = ExitCosts((15_564_800, 3_538_944, 9_143_552), (1_774_592, 443_648, 0))
RESNET = ExitCosts((388_800, 74_649_600, 157_373_568), (48_211_200, 4_291_200, 0))
COSTS = {"lenet": (LENET, "B-LeNet"), "alexnet": (ALEXNET, "B-AlexNet"), "resnet": (RESNET, "B-ResNet-110")}


@sabotage("branchynet.lenet_trunk_macs", "branchynet.lenet_branch_macs")
def pooling_drops_the_last_window():
    """PyTorch's default pooling floors: 30 -> 15 -> 7, where the authors' framework keeps the partial window, 8."""
    assert pool("p", (10, 15, 15), 2, 2, ceil=False).output_shape == (10, 7, 7)
    trunk = 112_500 + 17**2 * 10 * 125 + 10**2 * 20 * 250 + 20 * 5**2 * 84 + 840
    return {"branchynet.lenet_trunk_macs": trunk, "branchynet.lenet_branch_macs": 101_250 + 490 * 10}


@sabotage("branchynet.alexnet_trunk_macs", "branchynet.alexnet_branch1_macs", "branchynet.alexnet_branch2_macs")
def branches_where_the_text_puts_them():
    """The paper's text has branches after conv1 and conv2, the code one convolution later; and grouped convolutions."""
    trunk = mac_costs(branchynet.b_alexnet(), (3, 32, 32)).baseline
    grouped = 8 * 8 * (96 * 96 + 64 * 96) * 9 // 2  # two groups in conv4 and conv5, as in the AlexNet of ImageNet
    first = 8 * 8 * (32 * 32 + 32 * 32) * 9 + 5120
    second = 4 * 4 * 32 * 64 * 9 + 1280
    names = ("trunk", "branch1", "branch2")
    values = (trunk - grouped, first, second)
    return {f"branchynet.alexnet_{name}_macs": value for name, value in zip(names, values, strict=True)}


@sabotage("branchynet.resnet_trunk_macs", "branchynet.resnet_branch1_macs", "branchynet.resnet_branch2_macs")
def padded_first_convolution():
    """Padding the first convolution, as every other ResNet does: maps of 32x32 instead of 30x30."""
    grown = (32 / 30) ** 2
    return {
        "branchynet.resnet_trunk_macs": round(232_411_968 * grown),
        "branchynet.resnet_branch1_macs": round(48_211_200 * grown),
        "branchynet.resnet_branch2_macs": round(4_291_200 * grown),
    }


@sabotage(*(f"branchynet.{name}_mac_gain_{kind}" for name in COSTS for kind in ("honest", "trunk")))
def accountings_exchanged():
    """The honest figure without the branches, as the authors' timer has it; the bound with them."""
    values = {}
    for name, (costs, row) in COSTS.items():
        shares = published.table_row(row).complete_shares
        values[f"branchynet.{name}_mac_gain_honest"] = costs.published_gain(shares)
        values[f"branchynet.{name}_mac_gain_trunk"] = costs.gain(shares)
    return values


@sabotage("branchynet.lenet_breakeven", "branchynet.t_zero", "branchynet.claim_range")
def branch_over_the_whole_trunk():
    """A leaver saves only what lies behind the exit; and at T = 0 the branches are thought free."""
    return {
        "branchynet.lenet_breakeven": 100 * 107_650 / 1_140_070,
        "branchynet.t_zero": 1 / LENET.published_gain([0, 1]),
        "branchynet.claim_range": min(
            costs.published_gain(published.table_row(row).complete_shares) for costs, row in COSTS.values()
        ),
    }


@sabotage(*(f"branchynet.nb_lenet_{name}_exit" for name in ("t1e4", "t1e3", "t1e2", "t25e3", "t1e1", "t5e1")))
def sweep_with_branches_counted():
    """Explaining the published gains with the branch in the time: the shares come out too high, at last above 100."""
    first, last = np.cumsum(np.add(LENET.segments, LENET.branches)) / LENET.baseline
    gains = [run.cpu_gain for run in published.published_runs("B-LeNet", "notebook")[:-1]]
    names = ("t1e4", "t1e3", "t1e2", "t25e3", "t1e1", "t5e1")
    return {
        f"branchynet.nb_lenet_{name}_exit": 100 * (last - 1 / gain) / (last - first)
        for name, gain in zip(names, gains, strict=True)
    }


@sabotage("branchynet.early_exit_trend", "branchynet.hard_errors", "branchynet.random_gap", "branchynet.line_height")
def exits_by_lot():
    """Leaving at random: leavers are as good as stayers, a fifth holds a fifth of the errors, no height at all."""
    chord = curves.ExitCurve(np.array([0.0, 1.0]), np.array([0.97, 0.93]))
    shares = np.linspace(0.5, 0.9, 9)
    gap = float(np.mean(chord.at(shares) - chord.random_at(shares))) / 0.04
    return {
        "branchynet.early_exit_trend": 0.0,
        "branchynet.hard_errors": 20.0,
        "branchynet.random_gap": gap,
        "branchynet.line_height": gap,
    }


def _separable():
    """Logits whose first exit knows when it is wrong: a third of the samples, flat; all others sure and right."""
    targets = torch.arange(300) % 10
    final = 8.0 * nn.functional.one_hot(targets, 10).float()
    wrong = torch.arange(300) % 3 == 0
    first = final.clone()
    first[wrong] = 0.5 * nn.functional.one_hot((targets[wrong] + 1) % 10, 10).float()
    return torch.stack([first, final]), targets


@sabotage("branchynet.probability_gap", "branchynet.margin_gap")
def least_sure_leave():
    """The comparison turned round for probability and margin: the doubtful leave, the sure go on."""
    logits, targets = _separable()
    shares = np.linspace(0.3, 0.9, 13)
    right = curves.exit_curve(logits, targets)
    turned = curves.exit_curve(torch.stack([-logits[0], logits[1]]), targets)
    difference = 100 * float(np.mean(turned.at(shares) - right.at(shares)))
    return {"branchynet.probability_gap": difference, "branchynet.margin_gap": difference}


@sabotage(
    *("branchynet.validated_gain", "branchynet.lenet_exit1", "branchynet.lenet_exit2", "branchynet.comm_trend"),
    *("branchynet.alexnet_exit1", "branchynet.alexnet_exit2", "branchynet.alexnet_exit3"),
)
def nobody_may_leave():
    """A threshold of 0, safe for the accuracy: every sample pays for the branch and goes on."""
    return {
        "branchynet.validated_gain": LENET.gain([0, 1]),
        "branchynet.lenet_exit1": 0.0,
        "branchynet.lenet_exit2": 100.0,
        "branchynet.comm_trend": 0.0,
        "branchynet.alexnet_exit1": 0.0,
        "branchynet.alexnet_exit2": 0.0,
        "branchynet.alexnet_exit3": 100.0,
    }


@sabotage(
    *("branchynet.validated_loss", "branchynet.lenet_acc", "branchynet.alexnet_acc", "branchynet.joint_vs_baseline"),
    *("branchynet.equal_cost_gain", "branchynet.accuracy_trend", "branchynet.weight_effect"),
    *("branchynet.scratch_gap", "branchynet.light_branch_weight"),
)
def answers_of_a_layer_without_gradient():
    """The stale head of the public scripts at its worst: the last layer never learns, the final exit guesses."""
    logits, targets = _separable()
    stale = torch.zeros_like(logits[1])
    loss = 100 * float((stale.argmax(1) == targets).float().mean() - (logits[1].argmax(1) == targets).float().mean())
    names = ("validated_loss", "lenet_acc", "alexnet_acc", "joint_vs_baseline", "equal_cost_gain", "accuracy_trend")
    values = {f"branchynet.{name}": loss for name in (*names, "weight_effect", "scratch_gap")}
    return values | {"branchynet.light_branch_weight": -loss}  # the first exit's column read from the final one


@sabotage("branchynet.untrained_entropy", "branchynet.untrained_exits")
def entropy_without_the_minus():
    """The formula as the paper prints it, sum of p ln p: always below any threshold."""
    probability = torch.full((10,), 0.1)
    value = float((probability * probability.log()).sum())
    return {"branchynet.untrained_entropy": value, "branchynet.untrained_exits": 100.0 * (value < 0.1)}


@sabotage(
    *("branchynet.constant_class", "branchynet.exit_monotone", "branchynet.nb_lenet_t2_exit"),
    *("branchynet.t_above_maximum", "branchynet.t_zero_predictions"),
)
def reversed_comparison():
    """Leaving when the entropy is *at least* the threshold."""
    entropies = np.linspace(0, math.log(10), 50)
    shares = [100 * float((entropies >= t).mean()) for t in published.THRESHOLD_GRID]
    return {
        "branchynet.constant_class": 0.0,
        "branchynet.exit_monotone": float(np.diff(shares).min()),
        "branchynet.nb_lenet_t2_exit": shares[published.THRESHOLD_GRID.index(2.0)],
        "branchynet.t_above_maximum": 100 * float((entropies >= 2.31).mean()),
        "branchynet.t_zero_predictions": int((entropies >= 0).sum()),
    }


@sabotage("branchynet.classification_only")
def softmax_of_one_output():
    """A regression through the same formula: softmax of one number is 1, entropy 0, sure of everything."""
    return int(float(torch.softmax(torch.tensor([3.7]), 0)) == 1.0)


@sabotage("branchynet.batch1_agreement", "branchynet.time_falls", "branchynet.time_all_leave")
def all_exits_before_the_decision():
    """A forward that returns a list: every exit has run before the first is asked, time does not depend on exits."""
    shares = np.array([0, 0.25, 0.5, 0.75, 1])
    predicted = np.array([LENET.gain([share, 1 - share]) for share in shares])
    measured = np.full(5, LENET.gain([0, 1]))
    return {
        "branchynet.batch1_agreement": float((measured / predicted).min()),
        "branchynet.time_falls": 0.0,
        "branchynet.time_all_leave": 1.0,
    }


@sabotage(*(f"branchynet.{name}_{kind}" for name in COSTS for kind in ("cpu_gain", "left")))
def nothing_is_skipped():
    """Without early return there is no gain, whatever the shares; and with free branches nothing is lost."""
    return {f"branchynet.{name}_{kind}": 1.0 for name in COSTS for kind in ("cpu_gain", "left")}


@sabotage("branchynet.batch_kept", "branchynet.batch_compacted")
def compaction_confused():
    """The two batches exchanged."""
    share = 0.9
    return {
        "branchynet.batch_kept": LENET.expected([share, 1 - share]) / LENET.baseline,
        "branchynet.batch_compacted": 1.0,
    }
