"""Wrong versions of IONN: its graph, its order, its bytes, its clock."""

import numpy as np

from edgedl_lib.nets.zoo import alexnet
from edgedl_lib.offloading.partial.ionn import contention, live, other_networks, planner, study, timeline
from edgedl_lib.offloading.partial.ionn.execution_graph import (
    Paths,
    dijkstra,
    energy_weights,
    placement_cost,
    shortest_paths,
    time_weights,
)
from edgedl_lib.offloading.partial.ionn.planner import Partition
from edgedl_lib.offloading.partial.ionn.profile import alexnet_profile, unit_profile
from edgedl_lib.reproduce.sabotage import sabotage

ALEXNET = alexnet_profile()


def dense_first(profile, rate):
    """The largest layers first: their upload takes longest, so begin with it."""
    whole = planner.everything(profile)
    dense = whole & (np.arange(len(profile)) >= profile.names.index("fc6"))
    steps = (Partition(0, dense, dense), Partition(1, whole, whole & ~dense))
    return timeline.timeline_of(profile, rate, steps)


def every_plan_anew(profile, rate):
    """Uploading each plan whole, the units of earlier plans included."""
    steps = [Partition(step.level, step.on_server, step.on_server) for step in planner.plan(profile, rate)]
    return timeline.timeline_of(profile, rate, steps)


def by_rate(upload):
    rates = {megabits: study.bits_per_second(megabits) for megabits in study.GOLDEN_RATES}
    return {m: (upload(ALEXNET, rate), timeline.upload_at_once(ALEXNET, rate)) for m, rate in rates.items()}


@sabotage("ionn.golden_plans")
def one_cut_as_neurosurgeon_makes_it():
    """Client first, then the server to the end: all that follows the first uploaded unit runs there."""

    def upload(profile, rate):
        cuts = [np.maximum.accumulate(step.on_server) for step in planner.plan(profile, rate)]
        return timeline.timeline_of(profile, rate, [Partition(0, cut, cut) for cut in cuts])

    return study.golden_agreement(by_rate(upload))[0]


@sabotage("ionn.golden_times")
def decimal_megabits():
    """A million bits for the authors' Mb."""
    rates = {megabits: 1e6 * megabits for megabits in study.GOLDEN_RATES}
    uploads = (timeline.incremental_upload, timeline.upload_at_once)
    return study.golden_agreement({m: tuple(upload(ALEXNET, rate) for upload in uploads) for m, rate in rates.items()})[
        1
    ]


@sabotage("ionn.upload_latency")
def uploaded_units_again():
    """Each plan is uploaded whole, though the server holds most of it already."""
    return study.upload_ratio(by_rate(every_plan_anew))


@sabotage("ionn.query_time", "ionn.order_high_benefit_first", "ionn.golden_queries")
def largest_layers_first():
    """The largest parameters take longest, so they are begun first; they gain least."""
    timelines = by_rate(dense_first)
    return {
        "ionn.query_time": study.queries_ratio(timelines),
        "ionn.order_high_benefit_first": study.ordered_share(timelines),
        "ionn.golden_queries": study.golden_counts(timelines),
    }


@sabotage("ionn.skip_useless_layers")
def everything_is_uploaded():
    """Without a plan every layer goes up, useless ones too."""
    rate = study.bits_per_second(10)
    return len(study.never_uploaded(ALEXNET, timeline.upload_at_once(ALEXNET, rate)))


@sabotage("ionn.client_time_alexnet", "ionn.server_time_alexnet", "ionn.client_time_alexnet_fc6")
def heavy_layers_only():
    """Only convolutions and dense layers, and the dearest of them by FLOP."""
    rows = np.array([False, *(layer.kind in ("conv", "dense") for layer in alexnet())])
    dearest = 1 + int(np.argmax(alexnet().flop_per_layer()))
    return {
        "ionn.client_time_alexnet": 1e3 * ALEXNET.client_time[rows].sum(),
        "ionn.server_time_alexnet": 1e3 * ALEXNET.server_time[rows].sum(),
        "ionn.client_time_alexnet_fc6": 1e3 * ALEXNET.client_time[dearest],
    }


@sabotage(
    "ionn.client_time_googlenet",
    "ionn.server_time_googlenet",
    "ionn.client_time_resnet50",
    "ionn.server_time_resnet50",
    "ionn.client_time_mobilenet",
)
def seconds_per_parameter():
    """AlexNet's seconds per parameter: the dense layers hold 96 % of them."""
    sides = {"client": ALEXNET.client_time.sum(), "server": ALEXNET.server_time.sum()}
    values = {}
    for name, build in other_networks.NETWORKS.items():
        share = 4 * build().parameter_count / ALEXNET.model_bytes
        values |= {f"ionn.{side}_time_{name}": 1e3 * total * share for side, total in sides.items()}
    del values["ionn.server_time_mobilenet"]
    return values


@sabotage("ionn.query_never_rises")
def final_plan_backwards():
    """The final plan's units from the last to the first, each used as soon as it is there."""
    rate, whole = study.bits_per_second(5), planner.everything(ALEXNET)
    steps = []
    for first in reversed(np.flatnonzero(whole)):
        chosen = np.arange(len(ALEXNET)) >= first
        steps.append(Partition(0, chosen, chosen))
    return float(np.diff(timeline.timeline_of(ALEXNET, rate, steps).latency).max())


@sabotage("ionn.slow_link_all", "ionn.slow_link_plan")
def picture_in_bytes_and_prefix():
    """One byte for each element of the input; and the whole network instead of the plan."""
    local, whole, _ = study.slow_link()
    rate = study.bits_per_second(5)
    small = 8 * ALEXNET.input_bytes / 4 / rate + ALEXNET.server_time.sum()
    return {"ionn.slow_link_all": small / local, "ionn.slow_link_plan": whole / local}


@sabotage("ionn.plans_small_k", "ionn.plans_usual_k")
def levels_that_never_end_at_one():
    """Stopping before k = 1: the last plan is missing."""

    def plans(base):
        ladder = planner.discounts(base)[:-1][:2]
        rate = np.full(ladder.shape, study.bits_per_second(80))
        return len(np.unique(shortest_paths(time_weights(ALEXNET, rate, ladder)).on_server, axis=0))

    return {"ionn.plans_small_k": plans(1e-6), "ionn.plans_usual_k": plans(0.8)}


@sabotage("ionn.equals_dijkstra")
def never_back_from_the_server():
    """A sweep over prefix cuts only: from the server there is no way back but the end."""
    rng, equal, instances = np.random.default_rng(0), 0, 100
    for _ in range(instances):
        weights = study.random_weights(rng)
        units = weights.local.size
        cuts = [np.arange(units) >= cut for cut in range(units + 1)]
        best = Paths(cuts[0], min(placement_cost(weights, cut) for cut in cuts))
        equal += np.isclose(best.cost, dijkstra(weights).cost)
    return 100 * equal / instances


@sabotage("ionn.energy_plan")
def model_paid_in_every_query():
    """The upload of the model is charged in full to each query, for ever."""
    rate = study.bits_per_second(80)
    every = energy_weights(ALEXNET, rate, 0.0)
    return float(shortest_paths(every).cost / every.local.sum())


@sabotage("ionn.enters_and_leaves")
def single_cut():
    """Neurosurgeon's cut cannot come back from the server before the end: nothing but local is left at first."""
    rate = study.bits_per_second(10)
    first = planner.plan(ALEXNET, rate)[0].on_server
    cuts = [np.arange(len(ALEXNET)) >= cut for cut in range(len(ALEXNET) + 1)]
    usable = [cut for cut in cuts if not (cut & ~first).any()]
    return min(planner.query_time(ALEXNET, rate, cut) for cut in usable) / ALEXNET.local_time


@sabotage("ionn.upload_contended", "ionn.queries_contended")
def link_that_nobody_shares():
    """Two channels, one for the network and one for the queries; and waiting for the whole network."""
    rate = study.bits_per_second(80)
    steps = timeline.incremental_upload(ALEXNET, rate)
    whole = timeline.upload_at_once(ALEXNET, rate)
    run = contention.simulate_upload(ALEXNET, rate, whole)
    return {
        "ionn.upload_contended": steps.total / whole.total,
        "ionn.queries_contended": run.started_until(whole.total) / len(whole.query_starts()),
    }


@sabotage("ionn.live_queries")
def live_dense_first():
    """On any machine: dense layers first, here with times in proportion to FLOP."""
    graph = live.wide_alexnet()
    client = graph.flop_per_layer() / 1e10
    profile = unit_profile(graph, client, client / live.SERVER_FACTOR)
    rate = live.rate_for(profile)
    runs = [
        contention.simulate_upload(profile, rate, upload(profile, rate))
        for upload in (dense_first, timeline.upload_at_once)
    ]
    window = runs[1].total
    return runs[0].started_until(window) / runs[1].started_until(window)
