"""Wrong versions of region-of-interest compression: regions from the truth, unequal bytes, forgotten special cases."""

from functools import cache

import numpy as np

from edgedl_lib.nets.datasets import digits
from edgedl_lib.offloading.vertical.regions import codec, delay, detector, study
from edgedl_lib.offloading.vertical.regions.average_precision import average_precision
from edgedl_lib.offloading.vertical.regions.cameras import (
    BLOCKS,
    compress,
    decompress,
    no_regions,
    run_arm,
)
from edgedl_lib.offloading.vertical.regions.degenerate import equal_share
from edgedl_lib.offloading.vertical.regions.saliency import mark_boxes, regions_of_interest
from edgedl_lib.offloading.vertical.regions.scenes import SIDE, frames_in_order, truth_in_order
from edgedl_lib.reproduce.sabotage import sabotage

HIGH = 132  # a usual result of the choice of high quality
QUICK = detector.Training(hidden=48, epochs=5, crops=1500)


@cache
def model():
    return detector.train_detector(study.training_scenes(digits(0), 0, 120), QUICK, 0)


@cache
def videos(count=10):
    return study.test_videos(digits(0), 0, count, 2)


def points(chooser, ratio, count=10):
    return 100 * run_arm(videos(count), model(), chooser, ratio, HIGH).precision


@cache
def uncompressed():
    frames, truth = frames_in_order(videos()), truth_in_order(videos())
    return 100 * average_precision(detector.detect(model(), frames), truth)


@sabotage(
    "ren_roi.accuracy_loss_at_60pct",
    "ren_roi.accuracy_loss_to_60pct",
    "ren_roi.competitive_accuracy",
)
def mask_upside_down():
    """A mask of blocks to *compress* read as a mask of blocks to keep, for objects too."""
    losses = {ratio: uncompressed() - points(hide_objects(), ratio) for ratio in (0.6, 0.4)}
    return {
        "ren_roi.accuracy_loss_at_60pct": losses[0.6],
        "ren_roi.accuracy_loss_to_60pct": losses[0.4],
        "ren_roi.competitive_accuracy": losses[0.6],
    }


def hide_objects():
    """Regions are the background, by the truth: the strongest form of the mistake."""
    background = iter(study.background_blocks(videos()).reshape(videos().length, len(videos()), BLOCKS))
    return lambda frames, previous: next(background)


def reveal_objects(count):
    """Regions are the objects and one block around them, by the truth."""
    times = iter(range(videos(count).length))

    def chooser(frames, previous):
        masks = np.zeros((len(frames), SIDE // codec.BLOCK, SIDE // codec.BLOCK), bool)
        for mask, (boxes, _) in zip(masks, videos(count).truth(next(times)), strict=True):
            mark_boxes(mask, boxes)
        return masks.reshape(len(frames), -1)

    return chooser


@sabotage("ren_roi.random_regions")
def random_regions_that_know():
    """Labels leak into the baseline: its 'random' blocks are drawn among those of the objects."""
    return points(reveal_objects(60), 0.6, 60) - points(no_regions, 0.6, 60)


@sabotage("ren_roi.uniform_extra_loss", "ren_roi.equal_bytes")
def equal_quality_factor():
    """Both arms get the same quality factor for what matters, so uniform compression sends everything at it."""
    regions = run_arm(videos(), model(), regions_of_interest, 0.6, HIGH)
    uniform = run_arm(videos(), model(), no_regions, 0.0, HIGH)
    return {
        "ren_roi.uniform_extra_loss": 100 * (regions.precision - uniform.precision),
        "ren_roi.equal_bytes": abs(regions.sizes.sum() / uniform.sizes.sum() - 1),
    }


@sabotage("ren_roi.compression_ratio")
def ratio_of_what_is_left():
    """The other reading: 60 % is what remains."""
    return 100 * run_arm(videos(4), model(), regions_of_interest, 0.4, HIGH).removed


@sabotage("ren_roi.transmission_efficiency")
def efficiency_of_misplaced_regions():
    """Regions where nothing is need more bytes than uniform compression, not fewer."""
    arms = {("uniform", ratio): run_arm(videos(), model(), no_regions, ratio, HIGH) for ratio in (0.0, *study.RATIOS)}
    arms["regions", 0.6] = run_arm(videos(), model(), hide_objects(), 0.6, HIGH)
    return study.bytes_for_equal_precision(study.Comparison(videos(), 0.0, arms))


@sabotage("ren_roi.monotone")
def ratios_read_backwards():
    """What is asked is the share to keep, what is meant is the share to remove; here without regions."""
    precision = [points(no_regions, 1 - ratio, 40) for ratio in (0.2, 0.8)]
    return precision[1] - precision[0]


@sabotage("ren_roi.background_psnr")
def background_keeps_its_quality():
    """The step map is built and sent, but the encoder uses the fine step everywhere."""
    frames = frames_in_order(videos(4))
    plans = [codec.Plan(np.zeros(BLOCKS, bool), HIGH, HIGH), codec.Plan(np.ones(BLOCKS, bool), HIGH, codec.STEPS - 1)]
    seen = [decompress([codec.encode(each, plan) for each in codec.transform(frames)]) for plan in plans]
    blocks = study.background_blocks(videos(4))
    return study.psnr(seen[0], frames, blocks) - study.psnr(seen[1], frames, blocks)


@sabotage("ren_roi.fallback_share", "ren_roi.fallback_gain")
def threshold_above_everything():
    """Every frame is unsure, and what comes back from the cloud is the edge's own model."""
    arm = run_arm(videos(4), model(), regions_of_interest, 0.6, HIGH)
    unsure = detector.least_confidence(arm.found) < 1.01
    together = study.sent_on(arm.found, arm.frames, unsure, model())
    gain = average_precision(together, truth_in_order(videos(4))) - arm.precision
    return {"ren_roi.fallback_share": 100 * unsure.mean(), "ren_roi.fallback_gain": 100 * gain}


@sabotage("ren_roi.response_delay")
def everything_uncompressed_through_the_edge():
    """The edge looks at every frame, uncompressed, and then sends it on."""
    traffic = delay.Traffic(with_regions=2300.0, high_quality=2300.0, sent_on=1.0)
    place = delay.profile(10e6)
    return delay.edge_delay(place, traffic, model(), model()) / delay.cloud_delay(place, traffic, model())


def without_special_case(regions, ratio):
    """Streams of an encoder that always sends a map of regions and starts with coarser blocks outside."""
    frames = frames_in_order(videos(4))
    coefficients = codec.transform(frames)
    plans = [codec.Plan(mask, HIGH, codec.STEPS - 1) for mask in regions]
    ours = [codec.encode(each, plan) for each, plan in zip(coefficients, plans, strict=True)]
    uniform = compress(frames, np.zeros_like(regions), ratio, HIGH)[0]
    return equal_share(ours, uniform)


@sabotage("ren_roi.no_region", "ren_roi.whole_frame", "ren_roi.rho_zero")
def no_special_case():
    """Nothing found becomes an empty frame; a whole frame of interest ignores its budget; no ratio still coarsens."""
    frames = frames_in_order(videos(4))
    found = regions_of_interest(frames, [np.zeros((0, 4))] * len(frames))
    return {
        "ren_roi.no_region": without_special_case(np.zeros((len(frames), BLOCKS), bool), 0.6),
        "ren_roi.whole_frame": without_special_case(np.ones((len(frames), BLOCKS), bool), 0.6),
        "ren_roi.rho_zero": without_special_case(found, 0.0),
    }
