"""Wrong ways to cut a network between phone and cloud, on a model of a processor instead of a clock."""

from dataclasses import replace
from functools import cache

import numpy as np

from edgedl_lib.inference.partition.chain import CutScan, scan_cuts
from edgedl_lib.inference.studies import neurosurgeon_dynamics as dynamics
from edgedl_lib.inference.studies.maui import maui_like_plan
from edgedl_lib.inference.studies.neurosurgeon_alexnet import (
    GOLDEN_ENERGY,
    IMAGE_BYTES,
    PROCESSORS,
    UPLOAD_SECONDS,
    EnergyRow,
    LayerShares,
    TableRow,
    alexnet_costs,
    calibrated_latency,
    matching_energy_cells,
    matching_latency_cells,
    scan_networks,
    upload_rate,
)
from edgedl_lib.inference.studies.neurosurgeon_cases import (
    PHONES,
    LayerTimes,
    application_costs,
    applications,
    case_of,
    in_alexnets,
    mean_of,
    upload_shares,
)
from edgedl_lib.inference.studies.neurosurgeon_replication import predict_sweep
from edgedl_lib.inference.studies.neurosurgeon_throughput import GPU_PHONES, ServerWork, server_work, simulate_server
from edgedl_lib.nets.zoo.alexnet import alexnet
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.device import Device
from edgedl_lib.system.radio import radio_power
from edgedl_lib.system.trace import synthetic_trace

PROCESSOR = Device("a model of a processor", peak_flop_per_s=100e9, memory_bandwidth=20e9, overhead=5e-6)
WEIGHTED = ("conv", "dense", "local")


@cache
def profiles():
    """The eight applications with layer times of the model processor, predicted without error."""
    times = [(app, np.maximum(PROCESSOR.layer_latency(app.graph), 1e-9)) for app in applications()]
    return in_alexnets([LayerTimes(app, latency, latency) for app, latency in times])


@cache
def cases_with(rule, objective="latency"):
    """All cases when `rule` (a scan to a cut) decides instead of Neurosurgeon."""
    cases = []
    for times in profiles():
        for network in UPLOAD_SECONDS:
            for phone in PHONES:
                costs = application_costs(times.application, times.measured, phone)
                rate = upload_rate(network)
                scan = scan_cuts(costs, rate, objective=objective, radio_power=radio_power(network, rate))
                cases.append(case_of(times.application, network, phone, rule(scan), scan))
    return tuple(cases)


def cloud_only(scan: CutScan) -> int:
    return 0


def middle(scan: CutScan) -> int:
    return scan.table.shape[1] // 2


def better_end(scan: CutScan) -> int:
    return 0 if scan.server_only[0] <= scan.device_only[0] else scan.table.shape[1] - 1


def only(code, cases):
    return next(c for c in cases if (c.code, c.network, c.phone) == (code, "3g", "phone GPU"))


@sabotage(
    "neurosurgeon.latency_speedup_avg",
    "neurosurgeon.latency_speedup_max",
    "neurosurgeon.energy_reduction_avg",
    "neurosurgeon.energy_reduction_max",
    "neurosurgeon.best_cut_hits_latency",
    "neurosurgeon.best_cut_hits_energy",
    "neurosurgeon.latency_regret_mean",
    "neurosurgeon.energy_regret_mean",
    "neurosurgeon.vgg_3g_gpu",
    "neurosurgeon.speedup_dig_3g_gpu",
)
def always_send_everything():
    """What phones did before: the cloud is faster, so why look at the link."""
    latency, energy = cases_with(cloud_only), cases_with(cloud_only, "energy")
    return {
        "neurosurgeon.latency_speedup_avg": mean_of(latency, lambda case: case.gain),
        "neurosurgeon.latency_speedup_max": max(case.gain for case in latency),
        "neurosurgeon.energy_reduction_avg": mean_of(energy, lambda case: case.saving),
        "neurosurgeon.energy_reduction_max": max(case.saving for case in energy),
        "neurosurgeon.best_cut_hits_latency": sum(case.hit for case in latency),
        "neurosurgeon.best_cut_hits_energy": sum(case.hit for case in energy),
        "neurosurgeon.latency_regret_mean": mean_of(latency, lambda case: case.regret),
        "neurosurgeon.energy_regret_mean": mean_of(energy, lambda case: case.regret),
        "neurosurgeon.vgg_3g_gpu": only("VGG", latency).gain,
        "neurosurgeon.speedup_dig_3g_gpu": only("DIG", latency).gain,
    }


@sabotage("neurosurgeon.worst_against_ends", "neurosurgeon.language_end_cuts")
def cut_in_the_middle():
    """Half of the layers here, half there looks fair, but a tensor in the middle may be larger than the input."""
    cases = cases_with(middle)
    return {
        "neurosurgeon.worst_against_ends": max(case.against_ends for case in cases),
        "neurosurgeon.language_end_cuts": sum(not case.inside for case in cases if case.domain == "language"),
    }


@sabotage("neurosurgeon.vision_inside_cuts")
def choose_an_end():
    """Offloading all or nothing is simpler and never splits a network."""
    return sum(case.inside for case in cases_with(better_end) if case.domain == "vision")


@sabotage(
    "neurosurgeon.throughput_gain_avg",
    "neurosurgeon.throughput_gain_max",
    "neurosurgeon.throughput_lte",
    "neurosurgeon.throughput_3g",
    "neurosurgeon.cloud_throughput_trend",
)
def work_that_never_leaves_the_cloud():
    """If every query is sent whole, the data centre gains nothing and is freed of nothing."""
    whole = tuple(PROCESSORS["cloud GPU"].total * times.measured.sum() for times in profiles())
    gain = ServerWork("lte", GPU_PHONES, whole, whole, whole).gain
    return {
        "neurosurgeon.throughput_gain_avg": gain,
        "neurosurgeon.throughput_gain_max": gain,
        "neurosurgeon.throughput_lte": gain,
        "neurosurgeon.throughput_3g": gain,
        "neurosurgeon.cloud_throughput_trend": 100 * (1 - 1 / gain),
    }


@sabotage("neurosurgeon.throughput_wifi")
def vision_stays_local():
    """Keeping the applications that cost the server most on the phone, whatever the link."""
    total = {times.application.domain: 0.0 for times in profiles()}
    for times in profiles():
        total[times.application.domain] += times.measured.sum()
    return sum(total.values()) / total["language"]


@sabotage("neurosurgeon.throughput_order")
def one_decision_for_all_links():
    """The gain at one nominal link, used for the three."""
    gains = [server_work(profiles(), "lte").gain for _ in UPLOAD_SECONDS]
    return int(np.sum(np.diff(gains) > 0))


@sabotage("neurosurgeon.simulated_throughput_gap")
def server_waits_for_the_upload():
    """Charging the upload to the server: it is idle while the radio sends."""
    services = np.full(400, PROCESSORS["cloud GPU"].total)
    run = simulate_server(services + UPLOAD_SECONDS["wifi"], rate=1000.0, seed=0)
    return 100 * abs(run.throughput * services.mean() - 1)


@sabotage("neurosurgeon.dnn_families")
def tasks_for_families():
    """SENNA serves three tasks with one network."""
    return len(applications())


@sabotage("neurosurgeon.applications")
def families_for_tasks():
    """Counting SENNA once."""
    return len({app.graph.name.split("_")[0] for app in applications() if app.domain == "vision"}) + 2


@sabotage("neurosurgeon.cases")
def without_a_link():
    """Leaving out the slowest link, on which the cloud loses."""
    return len([case for case in cases_with(better_end) if case.network != "3g"])


@sabotage("neurosurgeon.upload_is_bottleneck")
def network_of_the_data_centre():
    """Taking the network inside the data centre for the phone's uplink makes uploads free."""
    shares = upload_shares(profiles()) / 100
    sending = shares / (1 - shares) * np.array([upload_rate(network) for network in UPLOAD_SECONDS]) / 10e9
    return 100 * float(np.mean(sending / (1 + sending)))


@sabotage("neurosurgeon.vs_maui_avg", "neurosurgeon.vs_maui_max")
def rival_against_itself():
    """A method that also decides per kind of layer gains nothing over the one that does."""
    times = profiles()[1]
    costs = application_costs(times.application, times.measured, "phone GPU")
    kinds = tuple(layer.kind for layer in times.application.graph.layers)
    rivals = [maui_like_plan(costs, kinds, upload_rate("3g")) for _ in range(2)]
    return rivals[0].latency / rivals[1].latency


def idle_cloud_only(input_bytes=IMAGE_BYTES, load_factor=1.0):
    return 1e3 * float(
        scan_networks(alexnet_costs(alexnet(), input_bytes=input_bytes), server_load=load_factor).server_only[0]
    )


@sabotage("neurosurgeon.load_cloudonly_idle")
def pixels_as_floats():
    """Sending the tensor that the network wants instead of the file that the camera has."""
    return idle_cloud_only(input_bytes=4 * 3 * 227 * 227)


@sabotage("neurosurgeon.load_cloudonly_90")
def server_is_always_idle():
    """Planning with the server's unloaded speed."""
    return idle_cloud_only()


@sabotage("neurosurgeon.load_adaptive_90")
def cut_that_ignores_the_load():
    """The cut of the idle server, kept at the load that makes cloud-only take 753 ms."""
    slow_down = (0.753 - UPLOAD_SECONDS["wifi"]) / PROCESSORS["cloud GPU"].total
    return idle_cloud_only(load_factor=slow_down)


@sabotage("neurosurgeon.alexnet_energy_gain_wifi_gpu")
def radio_that_idles_while_it_sends():
    """Charging the radio's base power only: computing on the phone then never pays."""
    base = radio_power("wifi", 0)
    table = scan_cuts(alexnet_costs(alexnet()), upload_rate("wifi"), objective="energy", radio_power=base).table[0]
    return 100 * (1 - table[15] / table[0])


@sabotage("neurosurgeon.comm_share_3g")
def cloud_as_slow_as_the_phone():
    """If the cloud computes no faster than the phone, the upload's share shrinks."""
    upload = UPLOAD_SECONDS["3g"]
    return 100 * upload / (upload + PROCESSORS["phone GPU"].total)


@sabotage("neurosurgeon.alexnet_best_cut")
def transfers_are_free():
    """Comparing processors only: the faster one gets everything."""
    return int(scan_cuts(alexnet_costs(alexnet()), np.inf).cuts[0])


@sabotage("neurosurgeon.upload_wifi", "neurosurgeon.upload_lte", "neurosurgeon.upload_3g")
def bytes_for_bits():
    """A missing factor of eight."""
    return {f"neurosurgeon.upload_{name}": 1e3 * IMAGE_BYTES / upload_rate(name) for name in UPLOAD_SECONDS}


@sabotage("neurosurgeon.upload_wifi", "neurosurgeon.upload_lte", "neurosurgeon.upload_3g")
def kibibytes_for_kilobytes():
    """152 KB read as 152 x 1024 bytes."""
    size = 8 * IMAGE_BYTES * 1024 / 1000
    return {f"neurosurgeon.upload_{name}": 1e3 * size / upload_rate(name) for name in UPLOAD_SECONDS}


@sabotage(
    "neurosurgeon.layers_alexnet",
    "neurosurgeon.layers_vgg",
    "neurosurgeon.layers_deepface",
    "neurosurgeon.layers_mnist",
    "neurosurgeon.layers_kaldi",
    "neurosurgeon.layers_senna",
)
def layers_with_weights():
    """Counting as papers on accuracy do."""
    graphs = {app.code: app.graph for app in applications()}
    names = dict(alexnet="IMC", vgg="VGG", deepface="FACE", mnist="DIG", kaldi="ASR", senna="POS")
    return {
        f"neurosurgeon.layers_{name}": sum(layer.kind in WEIGHTED for layer in graphs[code].layers)
        for name, code in names.items()
    }


def same_time_for_every_layer(graph, shares: LayerShares):
    return np.full(len(graph), shares.total / len(graph))


@sabotage("neurosurgeon.replication_phone_pool5", "neurosurgeon.replication_best_cut")
def uniform_profile():
    """Fifteen of 23 layers need 15/23 of the time: layers differ by orders of magnitude."""
    scan = predict_sweep(alexnet(), profile=same_time_for_every_layer)
    return {
        "neurosurgeon.replication_phone_pool5": 1e3 * scan.table[0, 15],
        "neurosurgeon.replication_best_cut": int(scan.cuts[0]),
    }


@sabotage("neurosurgeon.replication_gain")
def instant_upload():
    """With a free upload the cloud is best, and nothing is gained over it."""
    scan = scan_cuts(alexnet_costs(alexnet()), np.inf)
    return float(scan.server_only[0] / scan.values[0])


def rows_from(scans):
    return tuple(
        TableRow(phone, network, *cells)
        for phone, scan in scans.items()
        for network, *cells in zip(
            UPLOAD_SECONDS, scan.cut_names(), scan.values, scan.server_only, scan.device_only, strict=True
        )
    )


@sabotage("neurosurgeon.golden_latency_cells")
def float_input():
    """The raw image counted as the float32 tensor."""
    costs = {phone: alexnet_costs(alexnet(), phone, input_bytes=4 * 3 * 227 * 227) for phone in PHONES}
    return matching_latency_cells(rows_from({phone: scan_networks(cost) for phone, cost in costs.items()}))


@sabotage("neurosurgeon.golden_latency_cells")
def result_is_sent_too():
    """A transfer charged to the cut that keeps everything on the phone, as a public replication does."""
    scans = {}
    for phone in PHONES:
        scan = scan_networks(alexnet_costs(alexnet(), phone))
        table = scan.table.copy()
        table[:, -1] += 8 * 4 * 1000 / scan.rates
        cuts = table.argmin(axis=1)
        scans[phone] = replace(scan, table=table, cuts=cuts, values=table[np.arange(3), cuts])
    return matching_latency_cells(rows_from(scans))


@sabotage("neurosurgeon.golden_energy_cells", "neurosurgeon.objectives_differ_3g")
def one_objective_for_both():
    """The fastest cut taken for the most frugal one."""
    costs = alexnet_costs(alexnet())
    fastest, energy = scan_networks(costs), scan_networks(costs, "energy").table
    best = energy[np.arange(3), fastest.cuts]
    rows = tuple(EnergyRow(*row) for row in zip(GOLDEN_ENERGY, fastest.cut_names(), best, energy[:, 0], strict=True))
    return {
        "neurosurgeon.golden_energy_cells": matching_energy_cells(rows, energy[0, -1]),
        "neurosurgeon.objectives_differ_3g": int(fastest.cuts[2] - fastest.cuts[2]),
    }


@sabotage("neurosurgeon.cut_moves_back")
def load_slows_the_phone_too():
    """A load factor put on everything: as it rises, computing outweighs the transfer, and the cut moves back."""
    graph = alexnet()
    factors = dynamics.load_factor(np.linspace(0, 0.95, 60))
    slowed = replace(alexnet_costs(graph), device_power=None)
    cuts = []
    for factor in factors:
        device = factor * calibrated_latency(graph, PROCESSORS["phone GPU"])
        costs = replace(slowed, device_latency=device, server_latency=factor * slowed.server_latency)
        cuts.append(int(scan_cuts(costs, upload_rate("3g")).cuts[0]))
    return dynamics.steps_back(np.array(cuts))


@sabotage("neurosurgeon.adaptive_p95_ratio", "neurosurgeon.adaptive_mean_ratio")
def decide_once_and_send():
    """The phone looks at the link once; or it always sends, whatever the link does."""
    costs, starts = alexnet_costs(alexnet()), np.arange(0, 100, 1.0)
    trace, load = synthetic_trace(0, duration=110), dynamics.changing_load()
    installed = int(scan_cuts(costs, upload_rate("lte")).cuts[0])
    static = dynamics.simulate_phone(costs, trace, load, dynamics.static(installed), starts)
    again = dynamics.simulate_phone(costs, trace, load, dynamics.static(installed), starts)
    sending = dynamics.simulate_phone(costs, trace, load, dynamics.static(0), starts)
    _, fixed = dynamics.best_static(costs, trace, load, starts)
    return {
        "neurosurgeon.adaptive_p95_ratio": again.p95 / static.p95,
        "neurosurgeon.adaptive_mean_ratio": sending.mean / fixed.mean,
    }
