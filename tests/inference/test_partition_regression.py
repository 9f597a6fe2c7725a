"""Latency models: recover what they can express, judge them by decisions, refuse what cannot be right."""

import numpy as np
import pytest

from edgedl_lib.inference.partition import (
    ChainCosts,
    FlopModel,
    NeurosurgeonModel,
    RooflineModel,
    TypeMeanModel,
    UnknownLayerType,
    chain_costs,
    decision_regret,
    random_chain_costs,
    random_layer_configurations,
    scan_cuts,
    single_layer_graph,
)
from edgedl_lib.inference.partition.configurations import DRAW, layer_signature
from edgedl_lib.inference.partition.variables import layer_bytes, layer_type, layer_work, regression_variables
from edgedl_lib.nets import layers
from edgedl_lib.nets.zoo import model
from edgedl_lib.system.device import Device

BOARD = Device("board", 1e11, 1e10, compute_efficiency=0.3, bandwidth_efficiency=0.5, overhead=1e-5)
EIGHT = [model(name) for name in ("alexnet", "vgg19", "deepface", "lenet5", "kaldi_asr")] + [
    model("senna", task=task) for task in ("pos", "ner", "chk")
]


def board_latency(drawn, batch=1):
    """Latency of each layer on a machine that follows the roofline."""
    return np.array([BOARD.latency(batch * layer.flop, layer_bytes(layer, batch)) for layer in drawn])


def typical_factor(fitted, drawn, truth, batch=1):
    """Median factor, at least 1, by which predictions miss."""
    return float(np.exp(np.median(np.abs(np.log(fitted.predict(drawn, batch) / truth)))))


@pytest.fixture(scope="module")
def training():
    return random_layer_configurations(0, 150)


@pytest.fixture(scope="module")
def unseen():
    return random_layer_configurations(1, 150)


def test_variables_of_each_type_are_the_papers():
    conv = layers.conv("c", (3, 227, 227), 96, kernel=11, stride=4)
    assert regression_variables(conv) == (3 * 227 * 227, (11 / 4) ** 2 * 96, 1)
    assert regression_variables(conv, batch=10)[0] == 10 * 3 * 227 * 227
    dense = layers.dense("d", (256, 6, 6), 4096)
    assert regression_variables(dense, batch=10) == (9216, 4096, 10)
    assert regression_variables(layers.pool("p", (8, 4, 4), 2)) == (128, 32, 1)
    assert regression_variables(layers.activation("a", (10,))) == (10, 1)


def test_work_is_flop_or_elements_where_nothing_is_computed():
    assert layer_work(layers.dense("d", (10,), 5), batch=3) == 3 * 2 * 10 * 5
    assert layer_work(layers.dropout("d", (10,)), batch=3) == 30


def test_neurosurgeon_recovers_a_power_law_exactly(training):
    """Rates that are powers of the variables are what the logarithmic form can express."""
    convs = [layer for layer in training if layer_type(layer) == "conv"]
    rates = [1e8 * size**0.25 * window**0.5 for size, window, _ in map(regression_variables, convs)]
    latencies = np.array([layer.flop for layer in convs]) / rates
    fitted = NeurosurgeonModel().fit(convs, latencies)
    assert fitted.regressions["conv"].form == "logarithmic"
    np.testing.assert_allclose(fitted.predict(convs), latencies, rtol=1e-9)


def test_rates_stay_between_those_seen():
    """A layer far larger than any measured gets the highest rate measured, not an extrapolated one."""
    small = [layers.activation("a", (size,)) for size in (100, 1_000, 10_000)]
    fitted = NeurosurgeonModel().fit(small, [1e-5, 5e-5, 2.5e-4])
    huge = layers.activation("huge", (10**9,))
    assert fitted.predict([huge])[0] == pytest.approx(1e9 / (10_000 / 2.5e-4))


@pytest.mark.parametrize("batch", [1, 32])
def test_each_step_of_knowledge_predicts_unseen_layers_better(training, unseen, batch):
    truth = board_latency(unseen, batch)
    contenders = (FlopModel("absolute"), NeurosurgeonModel(), RooflineModel(Device("unknown", 1e12, 1e11)))
    flop, neurosurgeon, roofline = (
        typical_factor(each.fit(training, board_latency(training, batch), batch), unseen, truth, batch)
        for each in contenders
    )
    mean = typical_factor(TypeMeanModel().fit(training, board_latency(training, batch)), unseen, truth)
    assert roofline < 1.05  # the truth is a roofline
    assert roofline < neurosurgeon < 1.5 < min(flop, mean)


def test_absolute_flop_fit_explains_the_variance_and_misses_the_small_layers(training):
    """Why R2 is no measure: most of the variance is explained although half of the layers are off by factors."""
    truth = board_latency(training, 32)
    fitted = FlopModel("absolute").fit(training, truth, 32)
    predicted = fitted.predict(training, 32)
    explained = 1 - np.sum((truth - predicted) ** 2) / np.sum((truth - truth.mean()) ** 2)
    assert explained > 0.9 and typical_factor(fitted, training, truth, 32) > 3
    relative = FlopModel("relative").fit(training, truth, 32)
    assert typical_factor(relative, training, truth, 32) < typical_factor(fitted, training, truth, 32)


def test_batches_may_differ_from_layer_to_layer(training):
    batches = np.random.default_rng(0).choice([1, 28, 100], len(training))
    truth = np.array([board_latency([layer], each)[0] for layer, each in zip(training, batches, strict=True)])
    fitted = NeurosurgeonModel().fit(training, truth, batches)
    assert typical_factor(fitted, training, truth, batches) < 1.5
    assert fitted.predict(training, 100).sum() > fitted.predict(training, 1).sum()


def test_unfitted_roofline_predicts_the_device_as_given(training):
    drawn = [layer for layer in training if layer.kind in ("conv", "dense")]
    np.testing.assert_allclose(RooflineModel(BOARD).predict(drawn), board_latency(drawn))
    assert RooflineModel(BOARD).predict([layers.dropout("d", (10,))]).tolist() == [0.0]


def test_mean_model_ignores_the_size():
    fitted = TypeMeanModel().fit([layers.dense("a", (10,), 5), layers.dense("b", (1_000,), 500)], [1.0, 3.0])
    assert fitted.predict([layers.dense("c", (7,), 7)]).tolist() == [2.0]


@pytest.mark.parametrize("unfitted", [TypeMeanModel(), NeurosurgeonModel(), FlopModel()])
def test_unknown_types_and_missing_fits_are_named(unfitted):
    dense, conv = layers.dense("fc", (10,), 5), layers.conv("conv1", (3, 8, 8), 4, 3)
    with pytest.raises(UnknownLayerType, match="fit"):
        unfitted.predict([dense])
    if not isinstance(unfitted, FlopModel):
        unfitted.fit([dense], [1.0])
        with pytest.raises(UnknownLayerType, match="no layer of type 'conv'.*'conv1'; measured types: dense"):
            unfitted.predict([conv])


@pytest.mark.parametrize(
    ("latencies", "batch", "message"),
    [
        ([1.0, 2.0], 1, "1 layers but latencies of shape"),
        ([0.0], 1, "latency of 'fc' is 0.0 s: measure it again"),
        ([np.nan], 1, "latency of 'fc' is nan"),
        ([1.0], 0, "batch 0 must be at least 1"),
    ],
)
def test_bad_measurements_are_refused(latencies, batch, message):
    with pytest.raises(ValueError, match=message):
        NeurosurgeonModel().fit([layers.dense("fc", (10,), 5)], latencies, batch)
    with pytest.raises(ValueError, match="0 layers"):
        NeurosurgeonModel().fit([], [])
    with pytest.raises(ValueError, match="weighting 'R2' is unknown: choose 'absolute' or 'relative'"):
        FlopModel("R2").fit([layers.dense("fc", (10,), 5)], [1.0])


def test_configurations_repeat_with_the_seed_only():
    assert random_layer_configurations(3, 40) == random_layer_configurations(3, 40)
    assert random_layer_configurations(3, 40) != random_layer_configurations(4, 40)


def test_configurations_cover_all_types_and_keep_to_the_limits(training):
    assert {layer_type(layer) for layer in training} >= set(DRAW)
    assert max(layer.flop for layer in training) <= 5e8
    assert max(layer.parameter_count for layer in training) <= 5e6
    assert len({layer.name for layer in training}) == len(training)


def test_configurations_contain_no_layer_of_the_eight_networks():
    known = {layer_signature(layer) for graph in EIGHT for layer in graph.layers}
    assert not known & {layer_signature(layer) for layer in random_layer_configurations(0, 2_000)}


def test_a_graph_given_as_excluded_is_excluded():
    """Among argmax and softmax over 2..4096 inputs, a draw repeats sooner or later: then it must be drawn anew."""
    drawn = random_layer_configurations(0, 200, types=("softmax",))
    graphs = [single_layer_graph(layer) for layer in drawn[:100]]
    again = random_layer_configurations(0, 200, types=("softmax",), excluding=graphs)
    assert not {layer_signature(layer) for layer in drawn[:100]} & {layer_signature(layer) for layer in again}


def test_impossible_limits_and_unknown_types_are_refused():
    with pytest.raises(ValueError, match="no conv layer of at most 1 FLOP was found: raise the limits"):
        random_layer_configurations(0, 1, largest_flop=1)
    with pytest.raises(ValueError, match="layer type 'attention' is unknown: choose among conv"):
        random_layer_configurations(0, 1, types=("attention",))


def test_every_configuration_can_be_measured_alone(training):
    for layer in training:
        graph = single_layer_graph(layer, batch=2)
        assert graph.layers[-1] is layer and graph.batch == 2
    with pytest.raises(ValueError, match="inputs of one shape"):
        single_layer_graph(layers.concat("c", [(1, 2, 2), (3, 2, 2)]))


def test_perfect_predictions_have_no_regret_and_wrong_ones_never_a_negative_one():
    rng = np.random.default_rng(6)
    rates = np.geomspace(1e5, 1e8, 30)
    for _ in range(50):
        measured, other = random_chain_costs(rng, 8), random_chain_costs(rng, 8)
        predicted = ChainCosts(measured.names, other.device_latency, measured.server_latency, measured.transfer_bytes)
        assert not decision_regret(measured, measured, rates).regret.any()
        judged = decision_regret(measured, predicted, rates)
        assert (judged.regret >= 0).all() and judged.hits(np.inf).all()
        np.testing.assert_array_equal(judged.best_values, scan_cuts(measured, rates).values)


def test_regret_is_measured_not_predicted():
    """The chosen cut is charged the true seconds, whatever the model believed."""
    measured = ChainCosts(("one", "two"), [1.0, 1.0], [0.5, 0.5], [0, 0, 0])
    believed = ChainCosts(("one", "two"), [0.1, 9.0], [0.5, 0.5], [0, 0, 0])
    judged = decision_regret(measured, believed, [1e6])
    assert (judged.chosen_cuts.tolist(), judged.best_cuts.tolist()) == ([1], [0])
    assert judged.regret.tolist() == [0.5] and judged.hits().tolist() == [False]
    assert judged.hits(0.5).tolist() == [True]


def test_a_choice_as_good_as_the_best_is_a_hit_even_at_zero_cost():
    free = ChainCosts(("one",), [0.0], [0.0], [0, 0])
    slow_server = ChainCosts(("one",), [0.0], [1.0], [0, 0])
    judged = decision_regret(free, slow_server, 1e6)
    assert judged.chosen_cuts.tolist() == [1] and judged.regret.tolist() == [0.0] and judged.hits().all()


def test_costs_of_different_networks_are_not_compared():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"different layers \(3 and 4\): build both from the same graph"):
        decision_regret(random_chain_costs(rng, 3), random_chain_costs(rng, 4), 1e6)


def test_predicted_alexnet_is_cut_where_the_measured_one_is(training):
    """End to end on a roofline machine: fit without AlexNet, predict it, cut it at the three rates of the paper."""
    graph = model("alexnet")
    fitted = NeurosurgeonModel().fit(training, board_latency(training))
    truth, predicted = board_latency(graph.layers), fitted.predict(graph.layers)
    measured, believed = (chain_costs(graph, times, times / 20, input_bytes=152_000) for times in (truth, predicted))
    assert decision_regret(measured, believed, [1.4e6, 6.76e6, 12.8e6]).regret.max() <= 0.05
