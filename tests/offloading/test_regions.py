"""Region-of-interest compression: the codec's truth, budgets, regions without the truth, matching, and the delay."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.nets.datasets import digits
from edgedl_lib.offloading.vertical.regions import codec, degenerate, delay, detector, rate, saliency, scenes, windows
from edgedl_lib.offloading.vertical.regions.average_precision import (
    Detections,
    average_precision,
    overlap,
    right_detections,
)
from edgedl_lib.offloading.vertical.regions.cameras import BLOCKS, compress, no_regions, run_arm
from edgedl_lib.offloading.vertical.regions.study import background_blocks, psnr


@pytest.fixture(scope="module")
def videos():
    split = digits(0).test
    return scenes.generate(split.inputs[:, 0].numpy(), split.targets.numpy(), 6, 3, seed=1)


@pytest.fixture(scope="module")
def frames(videos):
    return scenes.frames_in_order(videos)


def test_videos_are_seeded_and_boxes_stay_inside_and_apart(videos):
    split = digits(0).test
    again = scenes.generate(split.inputs[:, 0].numpy(), split.targets.numpy(), 6, 3, seed=1)
    assert np.array_equal(again.frames, videos.frames)
    for boxes, labels in scenes.truth_in_order(videos):
        assert 1 <= len(labels) <= scenes.MOST_OBJECTS
        assert boxes.min() >= 0 and boxes.max() <= scenes.SIDE
        assert np.allclose(overlap(boxes, boxes), np.eye(len(boxes)))


def test_cosine_basis_is_orthonormal_and_a_flat_block_has_one_coefficient():
    assert np.allclose(codec.BASIS @ codec.BASIS.T, np.eye(codec.BLOCK), atol=1e-6)
    flat = codec.transform(np.full((1, 8, 8), 138, np.uint8))[0, 0]
    assert flat[0] == pytest.approx(80, rel=1e-6)  # eight times the difference from middle grey
    assert np.allclose(flat[1:], 0, atol=1e-4)


def test_transform_is_inverted_and_fine_steps_are_nearly_lossless(frames):
    coefficients = codec.transform(frames)
    assert np.array_equal(codec.restore(coefficients, 96, 96), frames)
    plan = codec.Plan(np.zeros(BLOCKS, bool), 0, 0)
    decoded = codec.decode(codec.encode(coefficients[0], plan), BLOCKS)
    assert np.abs(codec.restore(decoded[None], 96, 96)[0].astype(int) - frames[0]).max() <= 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_streams_decode_to_the_nearest_multiple_of_each_blocks_step(fine, coarse, seed):
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(0, 200, (BLOCKS, 64)).astype(np.float32)
    plan = codec.Plan(rng.random(BLOCKS) < rng.choice([0, 0.3, 1.1]), fine, coarse)
    decoded = codec.decode(codec.encode(coefficients, plan), BLOCKS)
    numbers = np.full(BLOCKS, plan.only_step) if plan.uniform else plan.step_numbers()
    assert np.all(np.abs(decoded - coefficients) <= codec.step_size(numbers)[:, None] * 0.501)


def test_side_information_is_one_bit_for_each_block_and_only_where_needed(frames):
    coefficients = codec.transform(frames)[0]
    some = np.arange(BLOCKS) < 30
    mixed, same = (
        codec.encode(coefficients, codec.Plan(some, 120, 121)),
        codec.encode(coefficients, codec.Plan(some, 120, 120)),
    )
    assert mixed[0] & codec.REGIONS and not same[0] & codec.REGIONS
    assert np.array_equal(np.unpackbits(np.frombuffer(mixed, np.uint8, 18, 3)).astype(bool), some)


@pytest.mark.parametrize("broken", [b"", b"\x00", b"\x09abc", b"\x00\x80abc"])
def test_broken_streams_are_named(broken):
    with pytest.raises(ValueError, match="send it again"):
        codec.decode(broken, BLOCKS)


def test_a_stream_of_another_size_is_refused(frames):
    stream = codec.encode(codec.transform(frames)[0], codec.Plan(np.zeros(BLOCKS, bool), 128, 128))
    with pytest.raises(ValueError, match="fit 64 blocks"):
        codec.decode(stream, 64)


def test_frames_that_do_not_divide_into_blocks_are_refused():
    with pytest.raises(ValueError, match="pad them"):
        codec.transform(np.zeros((1, 10, 16), np.uint8))


@pytest.mark.parametrize("ratio", [0.2, 0.4, 0.6, 0.8])
def test_budgets_are_kept_and_used(frames, ratio):
    regions = saliency.regions_of_interest(frames, [np.zeros((0, 4))] * len(frames))
    for masks in (np.zeros_like(regions), regions):
        streams, full = compress(frames, masks, ratio, 128)
        used = np.array([len(stream) for stream in streams]) / ((1 - ratio) * np.array(full))
        assert used.max() <= 1
        assert used.mean() > 0.95


def test_an_impossible_budget_gets_the_coarsest_stream(frames):
    coefficients, none = codec.transform(frames)[0], np.zeros(BLOCKS, bool)
    last = codec.encode(coefficients, codec.Plan(none, codec.STEPS - 1, codec.STEPS - 1))
    assert rate.fit(coefficients, none, 128, 1.0) == last


def test_the_path_coarsens_the_background_first_and_keeps_its_gap():
    some = np.arange(BLOCKS) < 30
    plans = [rate.plan_at(k, some, 128) for k in range(rate.path_length(some, 128))]
    assert (plans[0].fine, plans[0].coarse) == (128, 128)
    assert (plans[10].fine, plans[10].coarse) == (128, 138)
    assert plans[-1].fine == plans[-1].coarse == codec.STEPS - 1
    assert max(plan.coarse - plan.fine for plan in plans) == rate.WIDEST_GAP
    steps = [plan.fine + plan.coarse for plan in plans]
    assert steps == sorted(steps)


def test_degenerate_cases_change_nothing(videos):
    assert degenerate.no_region(videos, 128) == degenerate.whole_frame(videos, 128) == 100
    assert degenerate.rho_zero(videos, 128) == 100


def test_regions_find_a_square_and_not_the_foliage():
    rng = np.random.default_rng(0)
    frame = 100 + rng.normal(0, 22, (96, 96))
    frame[32:56, 40:64] = 170
    frame = np.clip(frame, 0, 255).astype(np.uint8)
    mask = saliency.regions_of_interest(frame[None], [np.zeros((0, 4))])[0].reshape(12, 12)
    border = np.zeros((12, 12), bool)
    border[4:7, 5:8] = True
    border[5, 6] = False  # nothing changes inside
    assert mask[border].all()
    assert mask[:2].mean() < 0.2


def test_returned_boxes_are_dilated_by_one_block_and_cut_at_the_border():
    mask = np.zeros((12, 12), bool)
    saliency.mark_boxes(mask, np.array([[0, 16, 16, 32.0]]))
    assert np.array_equal(np.argwhere(mask).min(axis=0), [0, 1])
    assert np.array_equal(np.argwhere(mask).max(axis=0), [2, 4])


def test_random_regions_are_as_many(frames):
    regions = saliency.regions_of_interest(frames, [np.zeros((0, 4))] * len(frames))
    mixed = saliency.shuffled(regions, np.random.default_rng(0))
    assert np.array_equal(mixed.sum(axis=1), regions.sum(axis=1)) and not np.array_equal(mixed, regions)


@pytest.mark.parametrize("scale", scenes.SCALES)
def test_filtered_windows_equal_a_linear_layer_on_normalised_windows(frames, scale):
    weight = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    fast = windows.filtered_windows(frames[:2], scale, weight).flatten(2).transpose(1, 2)
    slow = windows.sliding_windows(frames[:2], scale)[0] @ weight.T
    assert torch.allclose(fast, slow, atol=2e-3)


def test_cut_windows_are_sliding_windows(frames):
    slid, columns = windows.sliding_windows(frames[:1], 3)
    cut = windows.cut_windows(frames[:1], np.array([[12.0, 21.0]]), np.array([3]))
    assert torch.allclose(cut[0], slid[0, 4 * columns + 7], atol=1e-5)


def found(*rows):
    boxes, labels, scores = zip(*rows, strict=True)
    return Detections(np.array(boxes, float), np.array(labels), np.array(scores))


def test_each_object_is_hit_once_by_the_most_confident_box_of_its_class():
    truth = np.array([[0, 0, 10, 10.0]]), np.array([3])
    seen = found(([0, 0, 10, 10], 3, 0.6), ([0, 1, 10, 11], 3, 0.9), ([0, 0, 10, 10], 4, 0.95))
    assert right_detections(seen, *truth).tolist() == [False, True, False]


def test_average_precision_of_known_rankings():
    truth = [(np.array([[0, 0, 10, 10.0], [50, 50, 60, 60]]), np.array([1, 2]))]
    good, other, wrong = ([0, 0, 10, 10], 1), ([50, 50, 60, 60], 2), ([20, 20, 30, 30], 1)
    perfect = found((*good, 0.9), (*other, 0.8))
    assert average_precision([perfect], truth) == 1
    assert average_precision([found((*good, 0.9), (*wrong, 0.8), (*other, 0.7))], truth) == pytest.approx(5 / 6)
    assert average_precision([found((*wrong, 0.9))], truth) == 0
    with pytest.raises(ValueError, match="at least one object"):
        average_precision([], [])


def test_a_box_inside_a_larger_one_is_dropped():
    kept = detector.strongest(found(([0, 0, 32, 32], 1, 0.9), ([8, 8, 24, 24], 1, 0.8), ([60, 60, 76, 76], 2, 0.5)))
    assert kept.scores.tolist() == [0.9, 0.5]


def test_the_detector_learns_and_compression_costs(videos):
    model = detector.train_detector(_training(), detector.Training(32, 4, 1000), 0)
    untouched = run_arm(videos, model, no_regions, 0.0, 96).precision
    crushed = run_arm(videos, model, no_regions, 0.95, 96).precision
    assert untouched > 0.4 > crushed


def _training():
    split = digits(0).train
    return scenes.generate(split.inputs[:, 0].numpy(), split.targets.numpy(), 80, 1, seed=5)


def test_background_quality_is_measured_outside_the_objects(videos, frames):
    blocks = background_blocks(videos)
    spoiled = frames.copy()
    for frame, (boxes, _) in zip(spoiled, scenes.truth_in_order(videos), strict=True):
        for top, left, bottom, right in boxes.astype(int):
            frame[top:bottom, left:right] = 0
    spoiled[0, ~blocks[0].reshape(12, 12).repeat(8, 0).repeat(8, 1)] += 1
    assert psnr(frames + np.uint8(1), frames, blocks) == pytest.approx(48.13, abs=0.1)
    with np.errstate(divide="ignore"):
        assert psnr(spoiled, frames, blocks) == np.inf


@pytest.mark.parametrize("ratio", [-0.1, 1.0])
def test_impossible_ratios_are_refused(videos, ratio):
    with pytest.raises(ValueError, match="compression ratio"):
        run_arm(videos, detector.network(4), no_regions, ratio, 128)


def test_delays_add_up_and_no_frame_sent_on_means_no_wide_area_link():
    model, slow, fast = detector.network(8), delay.profile(1e6), delay.profile(1e9)
    alone = delay.Traffic(1000.0, 2000.0, 0.0)
    assert delay.edge_delay(slow, alone, model, model) == delay.edge_delay(fast, alone, model, model)
    all_on = delay.Traffic(1000.0, 2000.0, 1.0)
    added = delay.edge_delay(slow, all_on, model, model) - delay.edge_delay(slow, alone, model, model)
    assert added == pytest.approx(slow.wan.transfer_time(100_000), rel=0.01)
    assert delay.cloud_delay(slow, alone, model) > slow.wan.transfer_time(200_000)
