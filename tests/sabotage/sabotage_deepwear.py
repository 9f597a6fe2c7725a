"""Wrong versions of DeepWear: its reduction, its costs, its search, its stream."""

from dataclasses import replace

import numpy as np

from edgedl_lib.inference.partition.dag import printed_construction
from edgedl_lib.inference.partition.random_costs import random_dag_costs
from edgedl_lib.nets.zoo import lenet5
from edgedl_lib.offloading.partial.deepwear import cuts, networks, pipeline, study
from edgedl_lib.offloading.partial.deepwear.devices import Context, contexts, modelled_times
from edgedl_lib.offloading.partial.deepwear.reduction import block_classes, reduce
from edgedl_lib.reproduce.sabotage import sabotage

CASES = networks.cases(names=("LeNet-5", "acoustic model", "GoogLeNet", "VGG-16"))


@sabotage("deepwear.speedup_vs_wearable_max", "deepwear.speedup_vs_wearable_avg")
def never_leaves_the_watch():
    """Bluetooth is slow, so the phone is never asked: no speed-up over the watch alone."""
    return dict.fromkeys(("deepwear.speedup_vs_wearable_max", "deepwear.speedup_vs_wearable_avg"), 1.0)


@sabotage("deepwear.speedup_vs_handheld_max", "deepwear.speedup_vs_handheld_avg")
def input_is_on_the_phone_already():
    """Handheld-only without its upload: the phone alone is always fastest."""
    ratios = [
        case.table(context).latency.min() / case.table(replace(context, rate=np.inf, latency=0.0)).latency[0]
        for case in CASES
        for context in contexts()
    ]
    return {
        "deepwear.speedup_vs_handheld_max": 1 / min(ratios),
        "deepwear.speedup_vs_handheld_avg": float(np.mean(1 / np.array(ratios))),
    }


@sabotage("deepwear.energy_saving_vs_wearable_max", "deepwear.energy_saving_vs_wearable_avg")
def phone_is_free():
    """Only the watch's battery counts, so everything is sent away whatever the phone pays."""
    situations = tuple(replace(context, phone_power=0.0) for context in contexts())
    compared = study.compare(CASES, "energy", situations)
    saved = study.saved_percent(compared.over_wearable)
    return {
        "deepwear.energy_saving_vs_wearable_max": float(saved.max()),
        "deepwear.energy_saving_vs_wearable_avg": float(saved.mean()),
    }


@sabotage("deepwear.energy_saving_vs_handheld_max", "deepwear.energy_saving_vs_handheld_avg")
def everything_sent_anyway():
    """The phone is so much faster that everything is sent: handheld-only under another name."""
    tables = [case.table(context) for case in CASES for context in contexts()]
    saved = [100 * (1 - table.energy[0] / table.energy[0]) for table in tables]
    return {
        "deepwear.energy_saving_vs_handheld_max": max(saved),
        "deepwear.energy_saving_vs_handheld_avg": float(np.mean(saved)),
    }


@sabotage("deepwear.linear_complexity")
def both_sides_summed_for_every_cut():
    """Additions that a search without prefix sums makes, counted at n and at 2 n groups."""

    def additions(groups):
        return sum(cut + (groups - cut) for cut in range(groups + 1))

    return additions(2_000) / additions(1_000)


@sabotage("deepwear.chain_share")
def pruned_but_not_grouped():
    """Dropping light layers alone leaves every branch of every block."""
    return 100 * max(len(each.pruned) / len(each.graph) for each in networks.reductions().values())


@sabotage("deepwear.classes_googlenet")
def isomorphic_without_shapes():
    """Blocks of equal structure are called equal, whatever the sizes of their tensors."""
    return len(block_classes(networks.reductions()["GoogLeNet"], shapes=False))


@sabotage("deepwear.chain_gap", "deepwear.chain_gap_measured")
def cut_before_the_pool():
    """The heavy layer's own output crosses the link, not what the light layers behind it leave."""
    (case,) = networks.cases(names=("tiny YOLO",))
    context = Context(rate=1e6)
    table, members = case.table(context), [each.config.get("members", (each.name,)) for each in case.reduction.pruned]
    heavy = np.array([case.reduction.graph[names[0]].output_bytes for names in members], dtype=float)
    sizes = np.concatenate([case.line.transfer_bytes[:1], heavy])
    sizes[-1] = 0.0
    before_pool = cuts.scan_line(replace(case.line, transfer_bytes=sizes), context)
    excess = 100 * (before_pool.latency.min() / table.latency.min() - 1)
    return {"deepwear.chain_gap": excess, "deepwear.chain_gap_measured": excess}


@sabotage("deepwear.equals_min_cut")
def printed_graph():
    """The minimum cut as printed, without reverse links: the phone feeds the watch for free."""
    rng, equal, graphs = np.random.default_rng(0), 0, 60
    for _ in range(graphs):
        costs = random_dag_costs(rng, 9)
        best = cuts.all_cuts(costs).table(Context(rate=1e6, latency=0.0)).latency.min()
        equal += np.isclose(printed_construction(costs, 1e6).latency, best)
    return 100 * equal / graphs


@sabotage("deepwear.linear_gap", "deepwear.never_slower")
def inside_only():
    """A search that forgets both ends of the line."""
    excess = []
    for case in CASES:
        for context in contexts():
            table = case.table(context)
            excess.append(table.latency[1:-1].min() / table.latency.min() - 1)
    return dict.fromkeys(("deepwear.linear_gap", "deepwear.never_slower"), 100 * max(excess))


@sabotage("deepwear.pipeline_throughput")
def one_frame_after_the_other():
    """A stream whose next frame waits until the last answer is back."""
    stages = (0.3, 50_000, 0.2)  # 0.4 s on the link
    throughput = pipeline.stream_throughput(*stages, Context(rate=1e6, latency=0.0), pipelined=False)
    return throughput * 0.4


@sabotage("deepwear.degenerate")
def broken_link_is_a_free_one():
    """Dividing by a rate of 0 and dropping the infinity: a dead link costs nothing."""
    reduction = reduce(lenet5())
    costs = cuts.line_costs(reduction, *modelled_times(reduction.graph, 1_000))
    chosen = cuts.scan_line(costs, Context(rate=np.inf, latency=0.0)).best()
    return sum([chosen == len(costs.names), *study.degenerate_cases()[1:]])
