"""Wrong ways to count DDNN's bytes, to fuse cameras, to leave early and to survive an outage."""

import dataclasses
from functools import lru_cache

import numpy as np
import torch

from edgedl_lib.inference.early_exit.criteria import normalised_entropy
from edgedl_lib.inference.early_exit.distributed import communication, latency, network, published, study, views
from edgedl_lib.nets.datasets import digits
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link

SIX = range(1, 7)
FLOAT_BITS = 32
EXITS = published.published("threshold")["exit"]
NAMES = {name: name.replace(".", "") for name in EXITS.index}


@lru_cache
def sets():
    torch.set_num_threads(1)
    return views.six_cameras(digits(0), 0, copies=4)


@lru_cache
def trial(edges=()):
    design = network.Design(edges=edges, view=sets().test.inputs.shape[2:])
    return study.run_trials(design, [sets()], 0, epochs=4)[0]


@lru_cache
def patch_trial():
    parts = views.patches(digits(0))
    design = network.Design(classes=10, edges=(), view=tuple(parts.test.inputs.shape[2:]))
    return study.run_trials(design, [parts], 0, epochs=8)[0]


def cloud_accuracy(one, maps):
    with torch.no_grad():
        logits = one.network.branches[-1](one.network.segments[-1](maps))
    return float((logits.argmax(dim=1) == one.sets.test.targets).double().mean())


def maps_of(one):
    with torch.no_grad():
        return one.network.segments[0](one.sets.test.inputs)


def float_bytes(filters, bits, percent):
    return communication.device_bytes(3, filters * FLOAT_BITS, bits, percent / 100)


@sabotage(
    "ddnn.comm_reduction",
    "ddnn.comm_cost_trend",
    *(f"ddnn.filters{f}_bytes" for f in (1, 2, 4, 8)),
    *(f"ddnn.threshold{t}_bytes" for t in ("01", "08", "09")),
)
def float_maps():
    """The device sends its maps as float32, 32 times the bits; the exits alone do not make up for it."""
    rows = published.published("filters")["exit"]
    values = {f"ddnn.filters{f}_bytes": float_bytes(int(f), 64, percent) for f, percent in rows.items()}
    values |= {f"ddnn.threshold{NAMES[t]}_bytes": float_bytes(4, 256, EXITS[t]) for t in ("0.1", "0.8", "0.9")}
    one = trial()
    bits = one.design.map_bits
    ours = float_bytes(4, bits, 100 * one.local_share(one.threshold))
    return values | {"ddnn.comm_reduction": 3072 / float_bytes(4, 256, 0), "ddnn.comm_cost_trend": 144 / ours}


@sabotage("ddnn.threshold10_bytes", "ddnn.bytes_at_one")
def double_precision_scores():
    """Scores sent as NumPy makes them: eight bytes each."""
    return 8.0 * 3


@sabotage("ddnn.raw_image_bytes", "ddnn.test_samples")
def grey_picture_and_rounding_down():
    """One channel of the colour picture; a fifth of 851 rounded down."""
    return {"ddnn.raw_image_bytes": 32 * 32, "ddnn.test_samples": int(0.2 * 851)}


@sabotage(*(f"ddnn.filters{f}_memory" for f in (1, 2, 4, 8)))
def memory_in_proportion():
    """Memory per filter times filters: what does not grow with the filters is forgotten."""
    return {f"ddnn.filters{f}_memory": 228.0 * f for f in (1, 2, 4, 8)}


@sabotage("ddnn.bytes_counted")
def words_instead_of_bytes():
    """Each camera's maps rounded up to whole 64-bit words, which the closed form does not know."""
    design = trial().design
    sent = design.filters * design.map_bits / 8
    return float(-(-sent // 8) * 8 - sent)


@sabotage(
    *(f"ddnn.scale_individual_{k}" for k in range(1, 6)),
    "ddnn.scale_local_1",
)
def blank_frames_count_as_right():
    """A camera that sees nothing is never wrong: frames without the object are counted as answered."""
    one = trial()
    logits = network.device_scores(one.network, one.sets.test.inputs)
    right = (logits.argmax(dim=2) == one.sets.test.targets[:, None]) | ~one.sets.test.visible
    counted = right.double().mean(dim=0).numpy()
    values = {f"ddnn.scale_individual_{k}": float(counted[k - 1] - one.individual[5]) for k in range(1, 6)}
    return values | {"ddnn.scale_local_1": float(one.individual[0] - counted[0])}


@lru_cache
def untrained():
    design = trial().design
    fresh = study.run_trials(design, [sets()], 0, epochs=1, learning_rate=0.0)[0]
    return fresh


@sabotage(
    "ddnn.scale_individual_6",
    "ddnn.scale_cloud_1",
    *(f"ddnn.scale_local_{k}" for k in range(2, 7)),
    *(f"ddnn.scale_cloud_{k}" for k in range(2, 7)),
    "ddnn.three_levels",
)
def exits_without_training():
    """Trained devices below an exit that nobody trained, which guesses; a head that nobody trained."""
    one, guess = trial(), float(untrained().accuracy[-1])
    values = {f"ddnn.scale_local_{k}": 1 / 3 - one.individual[k - 1] for k in range(2, 7)}
    values |= {f"ddnn.scale_cloud_{k}": guess - one.individual[k - 1] for k in range(2, 7)}
    return values | {
        "ddnn.scale_individual_6": float(untrained().individual[5] - 1 / 3),
        "ddnn.scale_cloud_1": guess - one.individual[0],
        "ddnn.three_levels": guess - float(one.accuracy[0]),
    }


@sabotage("ddnn.scaling_rank")
def cloud_that_hears_one_camera():
    """Whatever the number of cameras, the cloud reads the first one's maps: no rise, no correlation."""
    return 0.0


def only_those_that_stay(one, threshold):
    """Accuracy over the samples that the cloud got, the difficult ones."""
    stays = one.decision(threshold).exit > 0
    return float((one.test_logits[-1].argmax(dim=1) == one.sets.test.targets)[stays].double().mean())


@sabotage(
    *(f"ddnn.scale_overall_{k}" for k in SIX),
    *(f"ddnn.threshold{t}_overall" for t in ("07", "09")),
)
def overall_of_those_that_stay():
    """Overall accuracy measured on the samples that did not leave early: the easy ones are missing."""
    one = trial()
    values = {
        f"ddnn.threshold{NAMES[t]}_overall": only_those_that_stay(one, one.threshold_at(EXITS[t] / 100))
        - one.accuracy[-1]
        for t in ("0.7", "0.9")
    }
    gap = only_those_that_stay(one, one.threshold_at(0.5)) - one.accuracy[-1]
    return values | {f"ddnn.scale_overall_{k}": gap for k in SIX}


@lru_cache
def uncertain_leave(share):
    """Share and accuracy when a sample leaves because its entropy is *above* the threshold."""
    one = trial()
    threshold = one.threshold_at(share)
    leaves = normalised_entropy(one.test_logits[0]) > threshold
    answers = torch.where(leaves, one.test_logits[0].argmax(dim=1), one.test_logits[-1].argmax(dim=1))
    return float(leaves.double().mean()), float((answers == one.sets.test.targets).double().mean())


@sabotage(
    *(f"ddnn.threshold{t}_exit" for t in NAMES.values()),
    *(f"ddnn.filters{f}_exit" for f in (1, 2, 4, 8)),
    *(f"ddnn.threshold{t}_overall" for t in ("01", "03", "05", "06")),
    "ddnn.exit_monotone",
    "ddnn.overall_over_local",
)
def the_uncertain_leave():
    """The comparison the wrong way round: whoever is unsure answers on the device."""
    one = trial()
    values = {f"ddnn.threshold{NAMES[t]}_exit": 100 * uncertain_leave(EXITS[t] / 100)[0] for t in EXITS.index}
    for filters, percent in published.published("filters")["exit"].items():
        values[f"ddnn.filters{filters}_exit"] = 100 * uncertain_leave(percent / 100)[0]
    for t in ("0.1", "0.3", "0.5", "0.6"):
        values[f"ddnn.threshold{NAMES[t]}_overall"] = uncertain_leave(EXITS[t] / 100)[1] - one.accuracy[-1]
    shares = [uncertain_leave(share)[0] for share in (0.1, 0.5, 0.9)]
    values["ddnn.exit_monotone"] = float(np.diff(shares).min())
    return values | {"ddnn.overall_over_local": uncertain_leave(0.02)[1] - one.accuracy[0]}


@sabotage("ddnn.threshold08_overall")
def one_camera_answers_for_all():
    """The first camera that is sure answers without asking the others: no aggregation before the local exit."""
    one = trial()
    own = network.device_scores(one.network, one.sets.test.inputs)[:, 0]
    unsure = normalised_entropy(own)
    leaves = unsure <= unsure.quantile(EXITS["0.8"] / 100)
    answers = torch.where(leaves, own.argmax(dim=1), one.test_logits[-1].argmax(dim=1))
    return float((answers == one.sets.test.targets).double().mean()) - float(one.accuracy[-1])


@sabotage("ddnn.threshold10_overall", "ddnn.accuracy_vs_compressed", "ddnn.filters1_overall")
def cloud_is_never_asked():
    """Everything is answered from one place: the exits change nothing, and overall is just that place."""
    return 0.0


@sabotage(*(f"ddnn.filters{f}_overall" for f in (2, 4, 8)))
def bits_in_the_other_order():
    """The cloud unpacks each byte from its other end: the maps arrive scrambled."""
    one = trial()
    maps = maps_of(one)
    scrambled = np.unpackbits(np.packbits(maps.numpy().reshape(len(maps), -1) > 0, axis=1), axis=1, bitorder="little")
    wrong = torch.from_numpy(2.0 * scrambled[:, : maps[0].numel()] - 1).float().reshape(maps.shape)
    return cloud_accuracy(one, wrong) - float(one.accuracy[-1])


@sabotage(*(f"ddnn.missing_overall_{k}" for k in SIX), *(f"ddnn.missing_local_{k}" for k in SIX), "ddnn.missing_worst")
def the_others_move_up():
    """The failed device is dropped from the list, and everyone behind it (or before the last) is read in another place.

    Locally its slot holds a large stale score of the first class, which the maximum takes for certainty.
    """
    one, values = trial(), {}
    maps = maps_of(one).unflatten(1, (6, -1))
    scores = network.device_scores(one.network, one.sets.test.inputs)
    for k in SIX:
        rest = [camera for camera in range(6) if camera != k - 1]
        order = [*rest, rest[-1]] if k < 5 else [rest[0], *rest]  # the gap closes from behind, or from before
        values[f"ddnn.missing_overall_{k}"] = float(one.accuracy[-1]) - cloud_accuracy(
            one, maps[:, order].flatten(1, 2)
        )
        stale = scores.clone()
        stale[:, k - 1] = torch.tensor([9.0, 0.0, 0.0])
        right = (stale.amax(dim=1).argmax(dim=1) == one.sets.test.targets).double().mean()
        values[f"ddnn.missing_local_{k}"] = float(one.accuracy[0] - right)
    return values | {"ddnn.missing_worst": max(values[f"ddnn.missing_overall_{k}"] for k in SIX)}


@sabotage(
    "ddnn.mnist_patches_missing_none",
    *(f"ddnn.mnist_patches_missing_{k}" for k in SIX),
    "ddnn.mnist_patches_first_three",
    "ddnn.mnist_patches_uneven",
)
def patches_in_another_order():
    """Patches reach the devices in reverse, so each device sees what it never learned; an outage that is ignored."""
    one = patch_trial()
    test = one.sets.test
    reverse = dataclasses.replace(test, inputs=test.inputs.flip(1))
    wrong = study.Trial(one.design, one.network, dataclasses.replace(one.sets, test=reverse))
    lost = 100 * float(one.accuracy[-1] - wrong.accuracy[-1])
    values = {f"ddnn.mnist_patches_missing_{k}": lost for k in SIX}
    return values | {
        "ddnn.mnist_patches_missing_none": 100 * float(wrong.accuracy[-1]),
        "ddnn.mnist_patches_first_three": 0.0,
        "ddnn.mnist_patches_uneven": 0.0,
    }


@sabotage("ddnn.aggregation_local", "ddnn.aggregation_cloud")
def minimum_for_maximum():
    """The element-wise minimum: one camera that sees nothing overrules all others; a logical and of the maps."""
    one = trial()
    scores = network.device_scores(one.network, one.sets.test.inputs)
    least = (scores.amin(dim=1).argmax(dim=1) == one.sets.test.targets).double().mean()
    return {
        "ddnn.aggregation_local": float(least) - float(one.accuracy[0]),
        "ddnn.aggregation_cloud": 1 / 3 - float(one.accuracy[-1]),
    }


@sabotage("ddnn.latency_gain")
def maps_sent_as_numbers():
    """Device and edge send maps as float32, 32 times as long on the air, and every sample goes up to the cloud."""
    design = network.Design(view=(12, 12), filters=4 * FLOAT_BITS, edge_filters=8 * FLOAT_BITS)
    radio, backhaul = Link("radio", 250e3), Link("3G", 1.1e6, rtt=0.05)
    fast = Device("any", 1e12, 1e12)
    levels = latency.Levels(fast, fast, fast, radio, backhaul)
    return latency.raw_latency(design, levels) / float(latency.exit_latencies(design, levels)[-1])
