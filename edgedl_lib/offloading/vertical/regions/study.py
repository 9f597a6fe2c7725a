"""The questions to region-of-interest compression: what does it cost at equal bytes, and what does the cloud add?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.offloading.vertical.regions import codec
from edgedl_lib.offloading.vertical.regions.average_precision import Detections, average_precision, right_detections
from edgedl_lib.offloading.vertical.regions.cameras import (
    Arm,
    decompress,
    no_regions,
    random_regions,
    run_arm,
)
from edgedl_lib.offloading.vertical.regions.delay import Traffic
from edgedl_lib.offloading.vertical.regions.detector import EDGE, detect, least_confidence, train_detector
from edgedl_lib.offloading.vertical.regions.saliency import regions_of_interest
from edgedl_lib.offloading.vertical.regions.scenes import SIDE, Videos, frames_in_order, generate, truth_in_order

RATIOS = (0.2, 0.4, 0.6, 0.8)
ARMS = ("uniform", "regions", "random")
LADDER = tuple(range(128, 192, 8))  # step numbers tried for high quality: 16 to 54 grey levels
FREE_LOSS = 0.01  # average precision that high quality may cost
SURE = 0.5  # confidence from which a box counts in a single frame
FORWARDED = 0.3  # share of the frames that the threshold should send on


@dataclass(frozen=True)
class Camera:
    """A camera with its edge server: the edge's model, high quality, and the edge's threshold.

    Attributes
    ----------
    model : nn.Module
    high : int
        Step number of high quality.
    threshold : float
        Confidence under which a frame goes on to the cloud.
    """

    model: nn.Module
    high: int
    threshold: float


def prepare(data: Dataset, seed: int, scenes: int = 360, held_out: int = 250) -> Camera:
    """Train the edge's model; choose high quality and the threshold on videos neither trained on nor tested.

    Parameters
    ----------
    scenes : int
        To train on, one frame of each: other scenes teach more than other frames.
    held_out : int
        Scenes for high quality; a tenth of it, as videos, for the threshold.
    """
    model = train_detector(training_scenes(data, seed, scenes), EDGE, seed)
    high = high_quality(model, _videos(data.validation, held_out, 1, 3 * seed + 1))
    arm = run_arm(
        _videos(data.validation, max(2, held_out // 10), 4, 3 * seed + 1), model, regions_of_interest, 0.6, high
    )
    return Camera(model, high, float(np.quantile(least_confidence(arm.found), FORWARDED)))


def training_scenes(data: Dataset, seed: int, scenes: int = 360) -> Videos:
    """Videos of one frame with training digits."""
    return _videos(data.train, scenes, 1, 3 * seed)


def test_videos(data: Dataset, seed: int, count: int = 36, length: int = 4) -> Videos:
    """Videos with digits that no detector has seen."""
    return _videos(data.test, count, length, 3 * seed + 2)


def high_quality(model: nn.Module, videos: Videos) -> int:
    """Step number of the coarsest uniform step that costs the detector at most one point; the finest if none does.

    Found by halving the ladder, which takes for granted that precision falls with the step.
    """
    truth, frames = truth_in_order(videos), frames_in_order(videos)
    bound = average_precision(detect(model, frames), truth) - FREE_LOSS
    coefficients = codec.transform(frames)

    def free(number: int) -> bool:
        plan = codec.Plan(np.zeros(coefficients.shape[1], bool), number, number)
        seen = decompress([codec.encode(each, plan) for each in coefficients])
        return average_precision(detect(model, seen), truth) >= bound

    low, top = 0, len(LADDER)  # all below low are free, none from top on
    while top - low > 1:
        middle = (low + top) // 2
        low, top = (middle, top) if free(LADDER[middle]) else (low, middle)
    return LADDER[low]


@dataclass(frozen=True)
class Comparison:
    """All arms on the same videos.

    Attributes
    ----------
    videos : Videos
    raw_precision : float
        Average precision on uncompressed frames.
    arms : mapping
        (arm, ratio) to its result; ("uniform", 0.0) is high quality.
    """

    videos: Videos
    raw_precision: float
    arms: Mapping[tuple[str, float], Arm]

    def loss(self, arm: str, ratio: float) -> float:
        """Points of average precision lost against uncompressed frames."""
        return 100 * (self.raw_precision - self.arms[arm, ratio].precision)

    def curve(self, arm: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean bytes per frame and average precision (%) from high quality to the strongest ratio."""
        runs = [self.arms["uniform", 0.0], *(self.arms[arm, ratio] for ratio in RATIOS)]
        return np.array([run.sizes.mean() for run in runs]), np.array([100 * run.precision for run in runs])


def compare(videos: Videos, camera: Camera, seed: int, ratios: Sequence[float] = RATIOS) -> Comparison:
    """Run uniform, region and random-region compression at equal bytes."""
    choosers = {"uniform": no_regions, "regions": regions_of_interest, "random": random_regions(seed)}
    raw = average_precision(detect(camera.model, frames_in_order(videos)), truth_in_order(videos))
    arms = {("uniform", 0.0): run_arm(videos, camera.model, no_regions, 0.0, camera.high)}
    for name, chooser in choosers.items():
        for ratio in ratios:
            arms[name, ratio] = run_arm(videos, camera.model, chooser, ratio, camera.high)
    return Comparison(videos, raw, arms)


def largest_rise_of_mean(compared: Sequence[Comparison], arm: str = "regions") -> float:
    """Most points that the mean over all videos gains from one ratio to a stronger one; negative if it only falls."""
    precision = np.mean([each.curve(arm)[1] for each in compared], axis=0)
    return float(max(later - earlier for k, earlier in enumerate(precision) for later in precision[k + 1 :]))


def unequal_bytes(comparison: Comparison) -> float:
    """Largest relative difference of the bytes of region and uniform compression over all ratios."""
    arms = comparison.arms
    return max(
        abs(arms["regions", ratio].sizes.sum() / arms["uniform", ratio].sizes.sum() - 1)
        for name, ratio in arms
        if name == "regions"
    )


def bytes_for_equal_precision(comparison: Comparison, ratio: float = 0.6) -> float:
    """Bytes that uniform compression needs for the precision of the regions, over the regions' bytes.

    Between two measured points the uniform curve is taken as straight; beyond its best point it ends.
    """
    sizes, precision = comparison.curve("uniform")
    rising = np.maximum.accumulate(precision[::-1])  # from few bytes to many
    target = comparison.arms["regions", ratio]
    needed = np.interp(100 * target.precision, rising, sizes[::-1])
    return float(needed / target.sizes.mean())


def background_blocks(videos: Videos) -> np.ndarray:
    """Blocks that touch no object, (frames, blocks) of bool; for measuring only."""
    side = SIDE // codec.BLOCK
    masks = np.ones((len(videos) * videos.length, side, side), bool)
    for mask, (boxes, _) in zip(masks, truth_in_order(videos), strict=True):
        for top, left, bottom, right in boxes.astype(int):
            mask[top // codec.BLOCK : -(-bottom // codec.BLOCK), left // codec.BLOCK : -(-right // codec.BLOCK)] = False
    return masks.reshape(len(masks), -1)


def psnr(decoded: np.ndarray, original: np.ndarray, blocks: np.ndarray) -> float:
    """Peak signal-to-noise ratio (dB) of the marked blocks of all frames."""
    n, height, width = original.shape
    squared = (decoded.astype(float) - original) ** 2
    tiles = squared.reshape(n, height // codec.BLOCK, codec.BLOCK, width // codec.BLOCK, codec.BLOCK)
    return float(10 * np.log10(255**2 / tiles.mean(axis=(2, 4)).reshape(n, -1)[blocks].mean()))


def background_fall(comparison: Comparison, ratio: float = 0.6) -> float:
    """How many dB of background quality the regions' arm gives up against high quality."""
    original, blocks = frames_in_order(comparison.videos), background_blocks(comparison.videos)
    before, after = comparison.arms["uniform", 0.0], comparison.arms["regions", ratio]
    return psnr(before.frames, original, blocks) - psnr(after.frames, original, blocks)


@dataclass(frozen=True)
class Fallback:
    """The edge with the cloud behind it, on the same frames.

    Attributes
    ----------
    share : float
        Of the frames sent on.
    edge, together, cloud_only : float
        Average precision of the edge alone, with the cloud behind it, and of the cloud on high-quality frames.
    """

    share: float
    edge: float
    together: float
    cloud_only: float


def with_cloud(comparison: Comparison, camera: Camera, cloud: nn.Module, ratio: float = 0.6) -> Fallback:
    """Frames in which the edge is unsure of a detection, or sees nothing, go on to the cloud as they came."""
    arm, truth = comparison.arms["regions", ratio], truth_in_order(comparison.videos)
    unsure = least_confidence(arm.found) < camera.threshold
    together = sent_on(arm.found, arm.frames, unsure, cloud)
    high = detect(cloud, comparison.arms["uniform", 0.0].frames)
    cloud_only = average_precision(high, truth)
    return Fallback(float(unsure.mean()), arm.precision, average_precision(together, truth), cloud_only)


def right_boxes(comparison: Comparison, arm: str, ratio: float) -> np.ndarray:
    """Confident detections that are right, less those that are wrong, for every frame, shape (frames,)."""
    pairs = zip(comparison.arms[arm, ratio].found, truth_in_order(comparison.videos), strict=True)
    hits = [(right_detections(found, *truth), found.scores >= SURE) for found, truth in pairs]
    return np.array([int((right & sure).sum()) - int((~right & sure).sum()) for right, sure in hits])


def mean_traffic(compared: Sequence[Comparison], behind: Sequence[Fallback], ratio: float = 0.6) -> Traffic:
    """Bytes and shares over all videos, for the model of the response delay."""
    return Traffic(
        with_regions=float(np.mean([each.arms["regions", ratio].sizes.mean() for each in compared])),
        high_quality=float(np.mean([each.arms["uniform", 0.0].sizes.mean() for each in compared])),
        sent_on=float(np.mean([each.share for each in behind])),
    )


def sent_on(found: Sequence[Detections], frames: np.ndarray, chosen: np.ndarray, cloud: nn.Module) -> list[Detections]:
    """Detections of all frames after the cloud has looked at the chosen ones."""
    answers = iter(detect(cloud, frames[chosen]) if chosen.any() else ())
    return [next(answers) if sent else each for each, sent in zip(found, chosen, strict=True)]


def _videos(split: Split, count: int, length: int, seed: int) -> Videos:
    return generate(split.inputs[:, 0].numpy(), split.targets.numpy(), count, length, seed)
