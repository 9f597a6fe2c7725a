"""The training loop: it learns, repeats itself, stops early, keeps what it is told to keep, refuses nonsense."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.one_bit.coded_layers import with_codes
from edgedl_lib.inference.compression.one_bit.ternary import Ternary
from edgedl_lib.inference.compression.reference import digit_network, lenet5, lenet_300_100
from edgedl_lib.inference.compression.sparsity.pruning import magnitude_masks
from edgedl_lib.nets.datasets import Split, digits
from edgedl_lib.nets.training import accuracy, build, cross_entropy, error, predict, train


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return digits().flat()


def small(seed=0):
    return build(lambda: lenet_300_100(64), seed)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_a_network_learns_digits(data):
    model = small()
    before = error(model, data.test)
    history = train(model, data.train, epochs=8, seed=0)
    assert before > 70
    assert error(model, data.test) < 8
    assert history.loss[-1] < 0.2 * history.loss[0]
    assert history.steps == 8 * 18
    assert not model.training


def test_a_run_depends_on_its_seed_alone(data):
    runs = []
    for order, disturbance in ((1, 5), (1, 77), (2, 5)):
        torch.manual_seed(disturbance)
        model = small()
        train(model, data.train, epochs=1, seed=order)
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_global_generator_is_left_alone(data):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    train(small(), data.train.subset(64), epochs=1, seed=9)
    assert torch.equal(torch.rand(1), expected)


def test_soft_targets_of_one_hot_form_train_like_labels(data):
    part = data.train.subset(200)
    soft = Split(part.inputs, nn.functional.one_hot(part.targets, 10).float())
    first, second = small(), small()
    train(first, part, epochs=1, seed=0)
    train(second, soft, epochs=1, seed=0)
    assert torch.allclose(weights(first), weights(second), atol=1e-5)


def test_what_after_step_restores_stays(data):
    model = small()
    mask = (torch.arange(64) % 2).float()

    def keep_mask(model):
        model.dense1.weight.mul_(mask)

    keep_mask.cache_key = "every other input"
    with torch.no_grad():
        keep_mask(model)
    train(model, data.train, epochs=1, seed=0, after_step=keep_mask, weight_decay=1e-3)
    assert (model.dense1.weight[:, ::2] == 0).all()
    assert (model.dense1.weight[:, 1::2] != 0).any()


def test_early_stopping_restores_the_best_weights(data):
    model = small()
    history = train(model, data.train, epochs=60, seed=0, learning_rate=0.01, validation=data.validation, patience=4)
    assert len(history.loss) < 60
    assert len(history.loss) == history.best_epoch + 1 + 4
    assert accuracy(model, data.validation) == max(history.validation_accuracy)


def test_a_schedule_scales_the_rate(data):
    model = small()
    before = weights(model)
    train(model, data.train.subset(64), epochs=2, seed=0, optimiser="sgd", schedule=lambda done: 0.0)
    assert torch.equal(weights(model), before)


def test_cached_weights_are_found_by_content(data, tmp_path):
    def run(seed=0, **options):
        model = small()
        history = train(model, data.train.subset(300), epochs=2, seed=seed, cache=tmp_path, **options)
        return weights(model), history

    first, history = run()
    again, restored = run()
    assert torch.equal(first, again)
    assert np.array_equal(history.loss, restored.loss) and restored.steps == history.steps
    assert len(list(tmp_path.glob("*.weights"))) == 1
    run(seed=1)
    run(learning_rate=2e-3)
    run(objective=lambda model, inputs, targets: 2 * cross_entropy(model, inputs, targets))
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_cache_is_named(data, tmp_path):
    train(small(), data.train.subset(64), epochs=1, seed=0, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="is damaged .*; delete it and train again"):
        train(small(), data.train.subset(64), epochs=1, seed=0, cache=tmp_path)


def test_a_function_that_a_cache_cannot_see_through_is_refused(data, tmp_path):
    factor = 3.0

    def scaled(model, inputs, targets):
        return factor * cross_entropy(model, inputs, targets)

    with pytest.raises(ValueError, match="objective depends on values that a cache cannot see"):
        train(small(), data.train, epochs=1, seed=0, objective=scaled, cache=tmp_path)


def test_an_object_as_after_step_needs_a_key_too(data, tmp_path):
    masks = magnitude_masks(small(), 0.5)
    with pytest.raises(ValueError, match="after_step depends on values that a cache cannot see"):
        train(small(), data.train, epochs=1, seed=0, after_step=masks, cache=tmp_path)


def test_what_a_module_holds_besides_tensors_is_part_of_the_name(data, tmp_path):
    """The same weights with another threshold, or with a layer that may not change, are another training."""
    codes = [with_codes(small(), Ternary(threshold), ("dense3",)) for threshold in (0.7, 0.2)]
    frozen = with_codes(small(), Ternary(0.7), ("dense3",))
    frozen.dense1.requires_grad_(False)
    for model in (*codes, frozen):
        train(model, data.train.subset(64), epochs=1, seed=0, cache=tmp_path)
    assert len(list(tmp_path.glob("*.weights"))) == 3


def nan_inputs(split):
    inputs = split.inputs.clone()
    inputs[3, 5] = float("nan")
    return Split(inputs, split.targets)


def test_bad_requests_are_refused(data):
    with pytest.raises(ValueError, match="unknown optimiser 'lbfgs'; choose one of adam, sgd"):
        train(small(), data.train, epochs=1, seed=0, optimiser="lbfgs")
    with pytest.raises(ValueError, match="epochs 0 and batch_size 64 must be at least 1"):
        train(small(), data.train, epochs=0, seed=0)
    with pytest.raises(ValueError, match="early stopping needs a validation split"):
        train(small(), data.train, epochs=1, seed=0, patience=2)
    with pytest.raises(ValueError, match="training inputs hold NaN"):
        train(small(), nan_inputs(data.train), epochs=1, seed=0)
    with pytest.raises(ValueError, match="1 of the inputs are NaN"):
        predict(small(), nan_inputs(data.test).inputs)
    with pytest.raises(ValueError, match="no parameter that may change"):
        train(small().requires_grad_(False), data.train, epochs=1, seed=0)


def test_a_loss_that_explodes_stops_the_run(data):
    with pytest.raises(ValueError, match="the loss is (nan|inf) at step"):
        train(small(), data.train, epochs=5, seed=0, optimiser="sgd", learning_rate=1e8)


def test_predicting_leaves_the_mode_alone(data):
    model = small().train()
    predict(model, data.test.inputs)
    assert model.training


def test_the_lenets_have_the_published_weights():
    def weight_count(model):
        return sum(parameter.numel() for parameter in model.parameters() if parameter.dim() > 1)

    assert weight_count(lenet_300_100()) == 266_200
    assert weight_count(lenet5()) == 430_500
    assert digit_network()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(ValueError, match="8 pixels are too few for LeNet-5"):
        lenet5((1, 8, 8))
