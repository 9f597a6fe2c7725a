"""The recipes of the Pareto figure: made, measured, compared."""

import numpy as np
import pytest
import torch

from edgedl_lib.figures.compression.pareto import details_of, draw_recipes, gains
from edgedl_lib.inference.compression import recipes
from edgedl_lib.inference.compression.recipes import RECIPES, Setting, evaluate, pareto
from edgedl_lib.inference.compression.reference import digit_network
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error, train
from edgedl_lib.reproduce.clickable import clickable


@pytest.fixture(scope="module")
def setting():
    torch.set_num_threads(1)
    data, model = digits(), build(digit_network, 0)
    train(model, data.train, epochs=10, seed=0)
    return Setting(model, data, seed=0, epochs=4)


@pytest.fixture(scope="module")
def candidates(setting):
    return evaluate(setting, windows=2)


def named(candidates, name):
    return next(candidate for candidate in candidates if candidate.recipe.name == name)


def test_every_recipe_gives_a_model_that_knows_digits(candidates):
    assert [candidate.recipe.name for candidate in candidates] == list(RECIPES)
    assert all(candidate.error < 45 for candidate in candidates), "four epochs are few, a guess errs 90 %"
    assert all(candidate.latency > 0 and candidate.stored_bytes > 0 for candidate in candidates)


def test_the_reference_is_what_was_given(setting, candidates):
    plain = named(candidates, "reference")
    assert plain.error == pytest.approx(error(setting.reference, setting.data.test), abs=0.23)  # one image
    assert plain.stored_bytes == 4 * 36_268
    assert plain.mac == 8 * 8 * 20 * 9 + 4 * 4 * 50 * 20 * 9 + 200 * 128 + 1280


def test_recipes_leave_the_reference_alone(setting):
    before = [parameter.clone() for parameter in setting.reference.parameters()]
    evaluate(setting, [RECIPES["pruned"], RECIPES["binary weights"]], windows=1)
    assert all(torch.equal(*pair) for pair in zip(before, setting.reference.parameters(), strict=True))


def test_sizes_are_ordered_as_their_bits_are(candidates):
    sizes = {candidate.recipe.name: candidate.stored_bytes for candidate in candidates}
    assert sizes["reference"] / sizes["int8"] == pytest.approx(4, rel=0.06)
    assert sizes["Deep Compression"] < sizes["pruned"] < sizes["reference"] / 4
    assert sizes["binary weights"] < sizes["int8"]
    assert sizes["distilled + int8"] < sizes["half as wide, distilled"] / 3


def test_zeros_are_executed_and_factors_are_not(candidates):
    mac = {candidate.recipe.name: candidate.mac for candidate in candidates}
    assert mac["pruned"] == mac["Deep Compression"] == mac["binary weights"] == mac["reference"]
    assert mac["low rank"] < 0.6 * mac["reference"]
    assert mac["half of the filters"] < 0.35 * mac["reference"]


def test_binary_weights_run_as_two_values_per_layer(setting):
    product = recipes.binary(setting)
    for name in ("conv2", "dense1"):
        assert len(torch.unique(getattr(product.model, name).weight)) == 2
    assert len(torch.unique(product.model.conv1.weight)) > 2


def brute_force(costs):
    def beats(one, other):
        return all(one <= other) and any(one < other)

    return [i for i, row in enumerate(costs) if not any(beats(other, row) for other in costs)]


def test_the_front_is_that_of_the_definition():
    generator = np.random.default_rng(0)
    for _ in range(200):
        costs = generator.integers(0, 6, (int(generator.integers(1, 12)), int(generator.integers(1, 4)))).astype(float)
        assert pareto(costs).tolist() == brute_force(costs)
    with pytest.raises(ValueError, match="without NaN"):
        pareto(np.array([[1.0, np.nan]]))


def test_the_figure_links_every_model_to_the_lines_that_made_it(candidates):
    page = clickable(draw_recipes(candidates), details_of(candidates), "all models")._repr_html_()
    assert page.count("<details>") == len(candidates)
    assert "prune_and_retrain(model" in page and "@recipe" not in page
    smaller, faster = gains(candidates)
    assert smaller >= 1 and faster >= 1
