"""DDNN: what is sent, who answers, how cameras are joined, and that nothing leaks between devices, seeds or splits."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.early_exit.distributed import (
    communication,
    decision,
    network,
    published,
    study,
    training,
    views,
)
from edgedl_lib.inference.early_exit.distributed.binary import clip_latent_weights, sign
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build

SMALL = network.Design(edges=(), view=(12, 12))


@pytest.fixture(scope="module")
def sets():
    torch.set_num_threads(1)
    return views.six_cameras(digits(0), 0, copies=2)


@pytest.fixture(scope="module")
def trained(sets):
    return study.run_trials(network.Design(view=(12, 12)), [sets], 0, epochs=3)[0]


def fresh(design, seed=0):
    return build(lambda: network.ddnn(design), seed).eval()


class TestBytes:
    def test_closed_form_at_the_papers_operating_points(self):
        assert communication.device_bytes(3, 4, 256, 0.0) == 140
        assert communication.device_bytes(3, 4, 256, 1.0) == 12
        assert communication.device_bytes(3, 4, 256, 0.6082) == pytest.approx(62.15, abs=0.01)

    @given(st.integers(1, 9), st.integers(1, 16), st.integers(1, 12), st.data())
    @settings(max_examples=25, deadline=None)
    def test_packed_messages_have_the_length_of_the_formula(self, filters, rows, samples, data):
        gone = data.draw(st.lists(st.booleans(), min_size=samples, max_size=samples))
        maps = sign(torch.randn(samples, 2 * filters, rows, 8))
        counted = communication.counted_bytes(torch.zeros(samples, 2, 5), maps, torch.tensor(gone))
        assert counted == pytest.approx(communication.device_bytes(5, filters, 8 * rows, np.mean(gone)))

    def test_a_map_survives_packing_with_any_length(self):
        for size in range(1, 20):
            maps = sign(torch.randn(size))
            assert torch.equal(communication.unpack(communication.pack(maps), (size,)), maps)

    def test_the_cloud_answers_the_same_from_unpacked_messages(self, trained):
        inputs = trained.sets.test.inputs[:40]
        with torch.no_grad():
            maps = trained.network.segments[0](inputs)
            sent = communication.unpack(communication.pack(maps), maps.shape)
            answer = trained.network.branches[1](trained.network.segments[1](sent))
        torch.testing.assert_close(answer, trained.test_logits[1, :40])

    def test_float_maps_and_cut_messages_are_refused(self):
        with pytest.raises(ValueError, match="only maps of -1 and 1"):
            communication.pack(torch.tensor([0.5, -1]))
        with pytest.raises(ValueError, match="cut or padded"):
            communication.unpack(b"\x00", (9,))

    @pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
    def test_a_share_is_a_fraction(self, share):
        with pytest.raises(ValueError, match="within 0 and 1"):
            communication.device_bytes(3, 4, 64, share)

    def test_a_device_of_the_paper_fits_two_kilobytes(self):
        for filters in (1, 2, 4, 8):
            assert communication.device_memory(network.Design(filters=filters, view=(32, 32))) < 2048

    def test_device_memory_by_hand(self):
        # 4 filters: 36 weight bits, 4 maps of 36 bits x 3 classes, 2 floats for each of 4 + 3 normalised values
        assert communication.device_memory(SMALL) == math.ceil((36 + 432) / 8) + 56

    def test_printed_shares_need_171_test_samples(self):
        shares = [*published.published("threshold")["exit"], *published.published("filters")["exit"]]
        assert communication.smallest_test_set(shares) == 171
        with pytest.raises(ValueError, match="no test set"):
            communication.smallest_test_set(shares, most=170)


class TestDecision:
    def test_threshold_one_lets_even_a_uniform_guess_leave(self):
        logits = torch.zeros(3, 5, 4)
        assert decision.decide_levels(logits, [1.0, 1.0]).shares.tolist() == [1, 0, 0]
        assert decision.decide_levels(logits, [0.999, 0.999]).shares.tolist() == [0, 0, 1]

    @given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
    @settings(max_examples=30, deadline=None)
    def test_a_higher_threshold_never_lets_fewer_leave(self, seed, first, second):
        logits = 3 * torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(seed))
        low, high = sorted((first, second))
        shares = [float(decision.decide_levels(logits, [value]).shares[0]) for value in (low, high)]
        assert shares[0] <= shares[1]

    @given(st.integers(0, 100), st.integers(0, 60))
    @settings(max_examples=30, deadline=None)
    def test_the_threshold_of_a_share_gives_that_share_on_the_same_samples(self, seed, leaving):
        logits = torch.randn(60, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        threshold = decision.threshold_for_share(logits, leaving / 60)
        assert float(decision.decide_levels(torch.stack([logits, logits]), [threshold]).shares[0]) == pytest.approx(
            leaving / 60
        )

    def test_bad_thresholds_and_logits_are_refused(self):
        logits = torch.zeros(3, 5, 4)
        with pytest.raises(ValueError, match="3 exits need 2 thresholds"):
            decision.decide_levels(logits, [0.5])
        for wrong in (-0.1, 1.01, float("nan")):
            with pytest.raises(ValueError, match="must lie within 0 and 1"):
                decision.decide_levels(logits, [0.5, wrong])
        with pytest.raises(ValueError, match="NaN"):
            decision.decide_levels(logits * float("nan"), [0.5, 0.5])


class TestViews:
    def test_someone_sees_every_object_and_blank_frames_are_black(self, sets):
        for part in (sets.train, sets.validation, sets.test):
            assert part.visible.any(dim=1).all()
            assert part.inputs[~part.visible].abs().max() == 0
            assert part.inputs[part.visible].flatten(1).amax(dim=1).min() > 0
            assert (part.device_targets == views.ABSENT).equal(~part.visible)

    def test_cameras_see_as_often_as_said(self, sets):
        seen = sets.train.visible.double().mean(dim=0)
        assert (seen - torch.tensor(views.VISIBILITY)).abs().max() < 0.06

    def test_no_digit_is_in_training_and_in_test(self):
        data = digits(3)
        as_rows = [{tuple(image.flatten().tolist()) for image in part.inputs} for part in (data.train, data.test)]
        shared = as_rows[0] & as_rows[1]
        assert not shared

    def test_a_failed_camera_is_blank_and_the_others_are_untouched(self, sets):
        failed = sets.test.without([2])
        assert failed.inputs[:, 2].abs().max() == 0 and not failed.visible[:, 2].any()
        rest = [0, 1, 3, 4, 5]
        assert torch.equal(failed.inputs[:, rest], sets.test.inputs[:, rest])
        assert sets.test.inputs[:, 2].abs().max() > 0  # the original is not changed

    def test_patches_put_together_again_are_the_image(self):
        data = digits(0, size=12)
        tiles = views.patches(data).test.inputs.unflatten(1, (3, 2))
        whole = tiles.permute(0, 1, 3, 2, 4).flatten(1, 2).flatten(2, 3)
        torch.testing.assert_close(whole, data.test.inputs[:, 0])

    def test_two_classes_and_one_class(self):
        two = views.six_cameras(digits(0), 0, classes=(4, 9), copies=1)
        assert two.classes == 2 and set(two.train.targets.tolist()) == {0, 1}
        with pytest.raises(ValueError, match="at least two"):
            views.six_cameras(digits(0), 0, classes=(4, 4))

    @pytest.mark.parametrize("cameras", [[6], [-1], []])
    def test_unknown_cameras_are_refused(self, sets, cameras):
        with pytest.raises(ValueError, match="some of 0 to 5"):
            sets.test.only(cameras)

    def test_the_same_seed_gives_the_same_views(self, sets):
        again = views.six_cameras(digits(0), 0, copies=2)
        assert torch.equal(again.train.inputs, sets.train.inputs)
        assert not torch.equal(views.six_cameras(digits(0), 1, copies=2).train.inputs, sets.train.inputs)


class TestNetwork:
    def test_three_levels_answer_lazily(self):
        model, inputs = fresh(network.Design(view=(12, 12))), torch.rand(2, 6, 12, 12)
        model.segments[1].register_forward_hook(lambda *_: pytest.fail("the edge ran although nobody asked"))
        with torch.no_grad():
            first = next(iter(model(inputs)))
        assert first.shape == (2, 3)

    def test_all_devices_at_once_equal_one_device_after_the_other(self):
        tier = fresh(SMALL).segments[0]
        inputs = torch.rand(5, 6, 12, 12)
        weights = sign(tier.weight.latent).chunk(6)
        plain = []
        for camera in range(6):
            maps = torch.nn.functional.conv2d(inputs[:, camera : camera + 1], weights[camera], padding=1)
            maps = torch.nn.functional.max_pool2d(maps, 3, 2, 1)
            norm = slice(4 * camera, 4 * camera + 4)
            scale = tier.norm.weight[norm] / (tier.norm.running_var[norm] + tier.norm.eps).sqrt()
            shift = tier.norm.bias[norm] - scale * tier.norm.running_mean[norm]
            plain.append(sign(maps * scale[:, None, None] + shift[:, None, None]))
        assert torch.equal(tier(inputs), torch.cat(plain, dim=1))

    def test_devices_use_signs_only(self):
        tier, inputs = fresh(SMALL).segments[0], torch.rand(5, 6, 12, 12)
        before = tier(inputs)
        with torch.no_grad():
            tier.weight.latent.mul_(0.01)
        assert torch.equal(tier(inputs), before)
        assert set(before.unique().tolist()) == {-1.0, 1.0}

    @pytest.mark.parametrize("kind", network.AGGREGATIONS)
    def test_of_one_camera_every_aggregation_is_the_identity(self, kind):
        design = network.Design(cameras=1, local=kind, edges=(), view=(12, 12))
        model, inputs = fresh(design), torch.rand(4, 1, 12, 12)
        with torch.no_grad():
            assert torch.equal(next(iter(model(inputs))), network.device_scores(model, inputs)[:, 0])

    def test_maximum_and_mean_do_not_depend_on_the_order_of_the_senders_and_concatenation_does(self):
        values = torch.randn(3, 6, 4)
        swapped = values[:, [5, 4, 3, 2, 1, 0]]
        for kind in ("MP", "AP"):
            torch.testing.assert_close(network.aggregate(kind, values), network.aggregate(kind, swapped))
        assert not torch.equal(network.aggregate("CC", values), network.aggregate("CC", swapped))

    @pytest.mark.parametrize("local", network.AGGREGATIONS)
    @pytest.mark.parametrize("features", network.AGGREGATIONS)
    @pytest.mark.parametrize("edges", [(), network.TWO_EDGES, ((0, 1, 2, 3), (4, 5))])
    def test_every_combination_has_its_exits(self, local, features, edges):
        design = network.Design(local=local, features=features, edges=edges, view=(12, 12), classes=2)
        with torch.no_grad():
            logits = [each.shape for each in fresh(design)(torch.rand(3, 6, 12, 12))]
        assert logits == [(3, 2)] * (3 if edges else 2)

    def test_an_edge_hears_its_own_cameras_only(self):
        design = network.Design(view=(12, 12))
        tier = fresh(design).segments[1]
        maps = sign(torch.randn(2, 24, 6, 6))
        changed = maps.clone()
        changed[:, :12] *= -1  # cameras 1 to 3
        with torch.no_grad():
            before, after = tier(maps), tier(changed)
        assert torch.equal(before[:, 8:], after[:, 8:]) and not torch.equal(before[:, :8], after[:, :8])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"local": "XX"}, "unknown aggregation 'XX'"),
            ({"edges": ((0, 1), (2, 3))}, "each of the 6 cameras once"),
            ({"classes": 1}, "two classes"),
            ({"cameras": 0, "edges": ()}, "one camera"),
        ],
    )
    def test_impossible_designs_are_refused(self, change, words):
        with pytest.raises(ValueError, match=words):
            dataclasses.replace(network.Design(), **change)

    def test_blank_cameras_give_a_guess_and_no_error(self, trained):
        blind = trained.without(range(6))
        logits = blind.test_logits
        assert torch.isfinite(logits).all()
        assert (logits == logits[:, :1]).all()  # all samples look the same
        shares = torch.bincount(blind.sets.test.targets).double() / len(blind.sets.test)
        assert blind.overall(0.5) <= float(shares.max())
        assert blind.overall(1.0) <= float(shares.max())


class TestTraining:
    def test_a_device_that_sees_nothing_learns_nothing_from_its_own_label(self):
        scores = torch.randn(8, 6, 3, requires_grad=True)
        labels = torch.randint(0, 3, (8, 6))
        labels[:, 2] = views.ABSENT
        labels[:4, 0] = views.ABSENT
        training.device_loss(scores, labels).backward()
        assert scores.grad[:, 2].abs().max() == 0 and scores.grad[:4, 0].abs().max() == 0
        assert scores.grad[4:, 0].abs().min() > 0

    def test_loss_is_the_sum_of_the_means_of_devices_and_exits(self, sets):
        model = fresh(SMALL)
        part = views.Views(sets.train.inputs[:30], sets.train.targets[:30], sets.train.visible[:30]).split()
        scores = network.device_scores(model, part.inputs)
        expected = sum(torch.nn.functional.cross_entropy(each, part.targets[:, 0]) for each in model(part.inputs))
        for camera in range(6):
            own = part.targets[:, 1 + camera]
            expected = expected + torch.nn.functional.cross_entropy(scores[:, camera], own, ignore_index=-1)
        torch.testing.assert_close(training.ddnn_objective(model, part.inputs, part.targets), expected)

    def test_a_batch_without_any_object_costs_nothing_on_the_devices(self):
        labels = torch.full((4, 6), views.ABSENT)
        assert training.device_loss(torch.randn(4, 6, 3), labels) == 0

    def test_replicas_do_not_touch_each_other(self, sets):
        other = views.six_cameras(digits(1), 1, copies=2)
        third = views.six_cameras(digits(2), 2, copies=2)
        count = min(len(each.train) for each in (sets, other, third))
        first, second, last = (
            views.Views(each.train.inputs[:count], each.train.targets[:count], each.train.visible[:count])
            for each in (sets, other, third)
        )
        pairs = [training.train_ddnn(SMALL, [first, neighbour], 0, epochs=1) for neighbour in (second, last)]
        inputs = sets.test.inputs[:50]
        mine, same = (torch.stack(list(pair[0](inputs))) for pair in pairs)
        theirs, changed = (torch.stack(list(pair[1](inputs))) for pair in pairs)
        torch.testing.assert_close(mine, same)
        assert not torch.allclose(theirs, changed)

    def test_the_same_seed_trains_the_same_network(self, sets):
        runs = [training.train_ddnn(SMALL, [sets.validation], 5, epochs=1)[0] for _ in range(2)]
        for first, second in zip(runs[0].state_dict().values(), runs[1].state_dict().values(), strict=True):
            assert torch.equal(first, second)

    def test_latent_weights_stay_within_one(self):
        model = fresh(SMALL)
        with torch.no_grad():
            model.segments[0].weight.latent.mul_(50)
            clip_latent_weights(model)
        assert model.segments[0].weight.latent.abs().max() <= 1

    def test_sign_passes_gradients_within_one_only(self):
        values = torch.tensor([-2.0, -0.5, 0.5, 2.0], requires_grad=True)
        sign(values).sum().backward()
        assert values.grad.tolist() == [0, 1, 1, 0]

    def test_views_of_another_size_are_refused(self, sets):
        with pytest.raises(ValueError, match=r"design is for pictures \(6, 16, 16\)"):
            training.train_ddnn(network.Design(), [sets.train], 0)

    def test_cooling_never_rises_and_ends_low(self):
        steps = [training.cooling(done) for done in np.linspace(0, 1, 50)]
        assert steps[0] == 1 and np.all(np.diff(steps) <= 0) and steps[-1] == 0.05


class TestTrial:
    def test_threshold_zero_leaves_the_answer_to_the_cloud_and_one_to_the_devices(self, trained):
        assert trained.overall(0.0) == pytest.approx(trained.accuracy[-1])
        assert trained.overall(1.0) == pytest.approx(trained.accuracy[0])
        assert trained.bytes_sent(1.0) == 12 and trained.bytes_sent(0.0) == 12 + 4 * 36 / 8

    def test_the_threshold_is_chosen_without_the_test_samples(self, trained, sets):
        shuffled = dataclasses.replace(sets.test, targets=sets.test.targets.roll(1))
        other = study.Trial(trained.design, trained.network, dataclasses.replace(sets, test=shuffled))
        assert other.threshold == trained.threshold

    def test_counted_bytes_equal_the_formula_on_a_trained_network(self, trained):
        for threshold in (0.0, 0.6, trained.threshold, 1.0):
            assert study.counted_at(trained, threshold) == pytest.approx(0, abs=1e-9)

    def test_nan_pictures_are_refused(self, trained, sets):
        broken = dataclasses.replace(sets.test, inputs=sets.test.inputs * float("nan"))
        other = study.Trial(trained.design, trained.network, dataclasses.replace(sets, test=broken))
        with pytest.raises(ValueError, match="NaN"):
            _ = other.test_logits


def test_published_tables_name_what_they_lack():
    with pytest.raises(KeyError, match="no table 'cars'"):
        published.published("cars")
    assert published.published("missing").shape == (6, 3)


def test_published_memory_is_a_line():
    for filters in (1, 2, 4, 8):
        assert published.memory_of(filters) == pytest.approx(204 + 228 * filters)
