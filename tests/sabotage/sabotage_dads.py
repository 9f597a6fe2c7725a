"""Wrong ways to cut a network with branches, and to read what DADS reports."""

from dataclasses import replace
from functools import cache

import numpy as np

from edgedl_lib.inference.partition.dag import dads, min_cut_partition
from edgedl_lib.inference.partition.dag_plan import evaluate_plan
from edgedl_lib.inference.studies import dads_random, dads_study
from edgedl_lib.nets.zoo.yolo import tiny_yolov2
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.catalogue import link

LOADS = [f"dads.{load}_{figure}_{base}" for load in ("light", "heavy") for figure in ("latency", "throughput")
         for base in ("edge", "cloud")]  # fmt: skip
RESNET18 = [
    f"dads.resnet18_{name}_{figure}" for name in ("cat1", "3g", "4g", "wifi") for figure in ("latency", "throughput")
]
REDUCTIONS = [f"dads.resnet18_{name}_latency_reduction_cloud" for name in ("cat1", "3g", "4g")]


@cache
def resnet18_on_3g():
    return dads_study.compare("ResNet-18", "dads-3g")


@cache
def graphs():
    return dads_random.random_graphs(60, seed=0)


@sabotage(*LOADS, *RESNET18)
def stay_with_the_baseline():
    """A method that never moves a layer is its own baseline."""
    comparison = resnet18_on_3g()
    gains = {"latency": comparison.latency_gain, "throughput": comparison.throughput_gain}
    return {name: gains["latency" if "latency" in name else "throughput"]("edge_only", "edge_only")
            for name in (*LOADS, *RESNET18)}  # fmt: skip


@sabotage(*REDUCTIONS)
def stay_in_the_cloud():
    """Cloud-only saves nothing over cloud-only."""
    gain = resnet18_on_3g().latency_gain("cloud_only", "cloud_only")
    return dict.fromkeys(REDUCTIONS, 100 * (1 - 1 / gain))


@sabotage(
    "dads.vs_neurosurgeon_dag_latency",
    "dads.vs_neurosurgeon_dag_throughput",
    "dads.heavy_yolo_throughput_vs_neurosurgeon",
    "dads.heavy_vgg_throughput_vs_neurosurgeon",
)
def chain_method_for_graphs():
    """Cutting the topological order of a graph, and minimising the sum of the stages under heavy load too."""
    comparison = resnet18_on_3g()
    latency = comparison.latency_gain("neurosurgeon", "neurosurgeon")
    throughput = comparison.throughput_gain("neurosurgeon", "neurosurgeon")
    return {
        "dads.vs_neurosurgeon_dag_latency": 100 * (latency - 1),
        "dads.vs_neurosurgeon_dag_throughput": 100 * (throughput - 1),
        "dads.heavy_yolo_throughput_vs_neurosurgeon": throughput,
        "dads.heavy_vgg_throughput_vs_neurosurgeon": throughput,
    }


@sabotage("dads.vs_neurosurgeon_chain")
def last_output_is_sent():
    """Charging the transfer of the result to the plan that stays on the board breaks the equality on slow links."""
    same = 0
    for network in dads_study.CHAINS:
        costs = dads_study.study_costs(network)
        for name in dads_study.LINKS:
            rate = link(name).rate
            true = min_cut_partition(costs, rate).latency
            edge = evaluate_plan(costs, costs.names, rate).latency + 8 * max(costs.output_bytes[-1], 4e3) / rate
            inner = min(evaluate_plan(costs, costs.names[:cut], rate).latency for cut in range(1, len(costs.names)))
            same += abs(min(edge, inner) - true) <= 1e-9 * true
    return same


@sabotage("dads.approx_ratio")
def stay_on_the_edge():
    """No transfer and no server stage, but one stage that is as long as everything."""
    worst = 0.0
    for costs in graphs():
        best = dads_random.all_stage_times(costs, dads_random.RATE).max(axis=1).min()
        worst = max(worst, evaluate_plan(costs, costs.names, dads_random.RATE).stages.longest / best)
    return worst


@sabotage("dads.mode_switch_bandwidth")
def megabytes_for_megabits():
    """The rate of the switch read in megabytes."""
    return dads_study.light_mode_limit(dads_study.study_costs("ResNet-18"), 1.0) / 8e6


@sabotage("dads.yolo_input_mb", "dads.yolo_max5_mb")
def frame_of_416_pixels():
    """The usual size of tiny YOLOv2, its pixels as bytes."""
    graph = tiny_yolov2(416)
    pool = [layer for layer in graph.layers if layer.kind == "pool"][4]
    return {"dads.yolo_input_mb": graph.input_bytes / 2**20, "dads.yolo_max5_mb": pool.output_bytes / 2**20}


@sabotage("dads.yolo_gain_4mbps")
def cut_stays_at_the_input():
    """The plan that was best at 18 Mb/s, kept at 4 Mb/s."""
    costs = dads_study.study_costs("tiny YOLOv2")
    sent = evaluate_plan(costs, (), 4e6).latency
    return 100 * (1 - sent / sent)


@sabotage("dads.resnet18_implied_spread")
def saving_over_the_cloud_forgotten():
    """Speed-up times cloud-only latency, as if the best plan were always the cloud's."""
    reported = tuple(replace(gain, saved_of_cloud=0.0) for gain in dads_study.RESNET18_REPORTED)
    _, board = dads_study.implied_seconds(reported)
    return 100 * float(np.ptp(board) / np.mean(board))


@sabotage("dads.mincut_optimal")
def graph_as_printed():
    """The construction of the paper, without helper nodes: how many of 400 come out right."""
    right = 0
    for costs in graphs():
        plan = min_cut_partition(costs, dads_random.RATE, auxiliary_nodes=False)
        best = dads_random.all_stage_times(costs, dads_random.RATE).sum(axis=1).min()
        right += abs(plan.latency - best) <= 1e-6 * best
    return round(400 * right / len(graphs()))


@sabotage("dads.printed_infeasible", "dads.no_auxiliary_wrong")
def full_construction():
    """With reverse links and helper nodes nothing goes wrong, so the count that shows their need is zero."""
    results = [min_cut_partition(costs, dads_random.RATE) for costs in graphs()]
    best = [dads_random.all_stage_times(costs, dads_random.RATE).sum(axis=1).min() for costs in graphs()]
    wrong = sum(plan.latency > (1 + 1e-6) * least for plan, least in zip(results, best, strict=True))
    return {"dads.printed_infeasible": sum(not plan.is_closed for plan in results), "dads.no_auxiliary_wrong": wrong}


@sabotage("dads.topological_worse", "dads.topological_better")
def data_paid_for_twice():
    """The chain method against itself never differs; DADS without helper nodes loses to it."""
    results = [dads_random.examine(costs) for costs in graphs()]
    return {
        "dads.topological_worse": 100 * np.mean([r.topological > (1 + 1e-6) * r.topological for r in results]),
        "dads.topological_better": sum(r.topological < (1 - 1e-6) * r.without_auxiliary for r in results),
    }


@sabotage("dads.heavy_worse_than_light")
def transfers_counted_double():
    """Minimising the sum of the stages with twice the transfer is no way to shorten the longest one."""
    worse = 0
    for costs in graphs():
        light = min_cut_partition(costs, dads_random.RATE).stages.longest
        shy = min_cut_partition(costs, dads_random.RATE / 2)
        kept = evaluate_plan(costs, shy.device_layers, dads_random.RATE).stages.longest
        worse += kept > (1 + 1e-9) * light
    return worse


@sabotage("dads.pipeline_gap")
def one_frame_at_a_time():
    """A pipeline holds several frames; one over the sum of the stages forgets that."""
    plan = dads_study.compare("VGG16", "dads-wifi").heavy
    return 100 * abs(1 / plan.stages.total * plan.stages.longest - 1)


@sabotage("dads.mode_switch_gap")
def switch_by_the_sum():
    """Leaving light mode when the sum of the stages, not the longest one, exceeds the frame interval."""
    costs = dads_study.study_costs("ResNet-18")
    true = dads_study.light_mode_limit(costs, 1.0)
    low, high = true, 1e9
    while high / low > 1.001:
        half = float(np.sqrt(low * high))
        low, high = (low, half) if dads(costs, half, 1.0).plan.latency < 1.0 else (half, high)
    return 100 * (high / true - 1)
