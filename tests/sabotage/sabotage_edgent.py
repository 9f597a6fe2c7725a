"""Wrong versions of Edgent: its regressions, its search, its direction, its stream."""

import numpy as np

from edgedl_lib.inference.early_exit.edgent import dynamic, exhaustive, study
from edgedl_lib.inference.early_exit.edgent.baselines import policy_tables
from edgedl_lib.inference.early_exit.edgent.networks import branchy_alexnet, weight_bytes
from edgedl_lib.inference.early_exit.edgent.optimiser import choose, optimise, split_latency
from edgedl_lib.inference.early_exit.edgent.regressions import published_regressions
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("edgent.golden_device_sum", "edgent.golden_server_sum")
def input_elements_for_feature_maps():
    """Reading 'input feature maps' as the elements of the input: 3 x 32 x 32 instead of 3."""
    network, sums = branchy_alexnet()[-1], []
    for side in ("device", "server"):
        regressions = published_regressions(side)
        extra = sum(
            regressions.layers["conv"].first * (layer.input_elements - layer.input_shapes[0][0])
            for layer in network
            if layer.kind == "conv"
        )
        sums.append(1e3 * (regressions.layer_latency(network).sum() + extra))
    return {"edgent.golden_device_sum": sums[0], "edgent.golden_server_sum": sums[1]}


@sabotage("edgent.golden_device_load", "edgent.golden_server_load", "edgent.device_only_latency")
def parameters_for_bytes():
    """The model's size in parameters, not bytes; and the device's total without loading."""
    parameters = weight_bytes(branchy_alexnet()[-1]) / 4
    return {
        "edgent.golden_device_load": 1e3 * published_regressions("device").load_time(parameters),
        "edgent.golden_server_load": 1e3 * published_regressions("server").load_time(parameters) / 2,
        "edgent.device_only_latency": study.published_sums().device,
    }


@sabotage("edgent.exits", "edgent.layers_longest_branch")
def side_branches_only():
    """The trunk's own exit is no branch; dropout does nothing at inference, so it is no layer."""
    networks = branchy_alexnet()
    return {
        "edgent.exits": len(networks[:-1]),
        "edgent.layers_longest_branch": sum(layer.kind != "dropout" for layer in networks[-1]),
    }


@sabotage("edgent.edge_only_1mbps", "edgent.edge_only_50kbps")
def loading_in_every_query():
    """The bare image (no refitting to a published point) and the server's loading charged each time."""
    sums, image_bits = study.published_sums(), 8 * branchy_alexnet()[-1].input_bytes
    seconds = [image_bits / rate + sums.server + sums.server_load for rate in (1e6, 50e3)]
    return {"edgent.edge_only_1mbps": seconds[0], "edgent.edge_only_50kbps": seconds[1]}


def last_partition_tested(exits, rates, deadlines):
    """The public replication: the deadline is tested with the last partition's time, not with the best one's."""
    tables = [np.repeat(split_latency(each, rates)[:, -1:], each.layers + 1, axis=1) for each in exits]
    return choose(tables, [each.accuracy for each in exits], rates, deadlines)


@sabotage("edgent.adaptive_coinference", "edgent.extra_cells")
def deadline_of_the_last_partition():
    """The replication's bug loses every cell that only the device can answer."""
    exits = study.published_exits("total")
    choices = study.feasibility(exits)
    choices["Edgent"] = last_partition_tested(exits, study.RATES, study.DEADLINES)
    return {
        "edgent.adaptive_coinference": study.gain_over_best_baseline(choices),
        "edgent.extra_cells": study.extra_cells(choices),
    }


@sabotage("edgent.exit_monotone_bandwidth", "edgent.exit_monotone_deadline")
def last_exit_instead_of_none():
    """Returning the last exit where none fits, and the earliest that fits elsewhere: later first, then back."""
    exits = study.published_exits("total")
    reversed_order = [-each.accuracy for each in exits]

    def sweep(rates, deadlines):
        tables = policy_tables("Edgent", exits, rates)
        chosen = choose(tables, reversed_order, rates, deadlines).exit.ravel()
        return study.moved_later(np.where(chosen < 0, len(exits) - 1, chosen))

    return {
        "edgent.exit_monotone_bandwidth": sweep(study.RATES, study.SWEEP_DEADLINE),
        "edgent.exit_monotone_deadline": sweep(study.SWEEP_RATE, np.arange(100, 1001) / 1000),
    }


@sabotage("edgent.equals_brute_force")
def first_partition_that_fits():
    """Stopping at the first partition within the deadline finds the exit, but not the fastest way to it."""
    rng, equal, instances = np.random.default_rng(0), 0, 200
    for _ in range(instances):
        exits, rate, deadline = exhaustive.random_exits(rng), 10 ** rng.uniform(4, 7), 10 ** rng.uniform(-2, 0.3)
        _, _, best = exhaustive.exhaustive_choice(exits, rate, deadline)
        found = np.inf
        for costs in sorted(exits, key=lambda each: -each.accuracy):
            fitting = [seconds for seconds in split_latency(costs, rate)[0] if seconds <= deadline]
            if fitting:
                found = fitting[0]
                break
        equal += found == best or abs(found - best) < 1e-12
    return 100 * equal / instances


@sabotage("edgent.accuracy_over_right_sizing")
def later_is_better():
    """Ordering the exits by their number although exit 3 is measured to be the best."""
    measured = [0.92, 0.94, 0.944, 0.933, 0.909]
    exits = study.published_exits("total", measured)
    choices = study.feasibility(exits)
    by_number = optimise(study.published_exits("total"), study.RATES, study.DEADLINES).exit
    cells = choices["right-sizing only"].feasible
    taken = np.array(measured)[by_number[cells]]
    return float(100 * (taken - choices["right-sizing only"].accuracy[cells]).min())


@sabotage("edgent.reversed_direction", "edgent.reversed_direction_random")
def direction_ignored():
    """A solver that answers both directions with the same code never changes its plan."""
    rng = np.random.default_rng(0)
    exits = exhaustive.random_exits(rng)
    first = optimise(exits, 1e6, np.inf, direction="device-first")
    second = optimise(exits, 1e6, np.inf, direction="device-first")
    changed = float(100 * np.mean(first.split != second.split))
    return {"edgent.reversed_direction": changed, "edgent.reversed_direction_random": changed}


@sabotage("edgent.early_training_drop")
def running_maximum():
    """Assuming that later is better: each exit is credited with the best accuracy so far."""
    accuracies = np.maximum.accumulate([0.75, 0.61, 0.38, 0.54, 0.19])
    return float(100 * np.max(np.maximum.accumulate(accuracies) - accuracies))


@sabotage("edgent.stream_gain")
def one_plan_for_the_mean_rate():
    """A plan made once, for the trace's mean rate."""
    trace = study.stream_trace(0)
    exits = study.published_exits("total", [0.92, 0.94, 0.944, 0.933, 0.909])
    runs = dynamic.run_policies(exits, trace, deadline=1.0)
    start = runs["Edgent"].start
    runs["Edgent"] = dynamic.run_stream("Edgent", exits, trace, start, 1.0, np.full(start.size, trace.mean_rate))
    return 100 * dynamic.gain(runs)


@sabotage("edgent.regression_error")
def judged_by_its_own_kind():
    """Comparing Edgent's lines with Edgent's lines."""
    return 1.0


@sabotage("edgent.change_point_switches")
def every_measurement_is_a_change():
    """A detector with threshold zero restarts at each measurement, and the plan follows the noise."""
    trace, exits = study.stream_trace(0), study.published_exits("total")
    start = np.arange(0.0, trace.duration, 2.0)
    probed = dynamic.measured_rates(trace, start, 0)
    seen = (probed, dynamic.detect_states(probed, threshold=0.0, drift=0.0))
    runs = [dynamic.run_stream("Edgent", exits, trace, start, 1.0, rates) for rates in seen]
    return runs[1].switches / runs[0].switches
