"""DeepCham: what can only help does, what is missing does not break it, and nobody is tested on his own labels."""

import numpy as np
import pytest
import torch

from edgedl_lib.nets.datasets import Split, digits
from edgedl_lib.offloading.horizontal.deepcham.adaptation import (
    Adaptation,
    Fusion,
    adapt,
    constrained,
    product,
    tempered,
)
from edgedl_lib.offloading.horizontal.deepcham.domains import (
    DOMAINS,
    Crowd,
    Domain,
    photograph,
    quality,
    shift,
    tilted,
    usable,
)
from edgedl_lib.offloading.horizontal.deepcham.labelling import Labelling, suggestions
from edgedl_lib.offloading.horizontal.deepcham.study import ARMS, FOUR_USERS, all_answers, lending_adaptation, town

EVEN, TILT, SENSOR, DUSK = DOMAINS


@pytest.fixture(scope="module")
def place():
    torch.set_num_threads(1)
    return town(digits(1), 1)


@pytest.fixture(scope="module")
def visit(place):
    return place.visit(TILT)


def test_the_gain_is_above_a_hundred_percent_and_both_accuracies_say_why(visit):
    answers = visit.answers()
    assert answers.gain() == pytest.approx(100 * (answers.accuracy("fused") / answers.accuracy("generic") - 1))
    assert answers.accuracy("generic") < 50 < 80 < answers.accuracy("fused")


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_constraining_never_hurts_and_the_unshifted_domain_loses_little(place, domain):
    answers = place.visit(domain).answers()
    assert answers.accuracy("constrained") >= answers.accuracy("generic")
    assert answers.accuracy("fused") >= answers.accuracy("generic") - 2


@pytest.mark.parametrize("seed", range(20))
def test_constraining_keeps_every_right_answer_whatever_the_probabilities(seed):
    generator = np.random.default_rng(seed)
    probabilities, classes = generator.dirichlet(np.full(10, 0.2), size=50), (1, 4, 8)
    targets = generator.choice(classes, 50)
    right = probabilities.argmax(axis=1) == targets
    assert (np.array(classes)[constrained(probabilities, classes).argmax(axis=1)] == targets)[right].all()


def test_more_labels_help_and_twenty_percent_wrong_ones_do_not_undo_it(visit):
    few, many = (visit.answers(Labelling(users=count)).accuracy("fused") for count in (1, 4))
    noisy = visit.answers(Labelling(noise=0.2))
    assert few < many
    assert noisy.accuracy("fused") < many and noisy.gain() > 50


def test_without_labels_fusion_is_the_constrained_model(visit):
    for how in (Labelling(users=0), Labelling(labels=0)):
        answers = visit.answers(how)
        assert (answers.labels("fused") == answers.labels("constrained")).all()


def test_a_class_without_label_is_never_answered_by_adaptation_but_can_be_by_fusion(place):
    visit = place.visit(SENSOR)
    answers = visit.answers(Labelling(missing=(3,)))
    assert answers.recall("adapted", 3) == 0
    gentle = visit.answers(Labelling(missing=(3,)), Fusion(weight=0.3))
    assert gentle.recall("fused", 3) > 20


def test_one_user_with_one_class_answers_that_class():
    only = adapt(np.ones((3, 2)), np.array([4, 4, 4]), (1, 4))
    assert only.probabilities(np.zeros((2, 2))).tolist() == [[0, 1], [0, 1]]


def test_columns_follow_the_domain_when_a_class_is_missing():
    features = np.array([[0.0, 5], [0, 6], [5, 0], [6, 0]])
    model = adapt(features, np.array([2, 2, 9, 9]), (2, 5, 9))
    probabilities = model.probabilities(features)
    assert probabilities[:, 1].tolist() == [0] * 4
    assert probabilities.argmax(axis=1).tolist() == [0, 0, 2, 2]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_the_classifier_is_at_the_optimum_that_another_solver_finds(visit):
    from sklearn.linear_model import LogisticRegression

    made = visit.instances(FOUR_USERS)
    features = visit.model.features(made.photographs.inputs).astype(float)
    slow = LogisticRegression(max_iter=5_000, tol=1e-8).fit(features, made.labels)
    ours = adapt(features, made.labels, TILT.classes).probabilities(features)
    np.testing.assert_allclose(ours, slow.predict_proba(features), atol=5e-3)


def test_labels_outside_the_domain_are_refused():
    with pytest.raises(ValueError, match=r"labels \[.*7.*\] do not occur"):
        adapt(np.zeros((1, 2)), np.array([7]), (1, 2))
    with pytest.raises(ValueError, match="at least one class"):
        constrained(np.ones((1, 3)), ())


def test_fusion_ends_are_the_two_models():
    known, learnt = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    assert Fusion(0, 1).combine(known, learnt).tolist() == known.tolist()
    assert Fusion(1, 4).combine(known, learnt).tolist() == learnt.tolist()


def test_temperature_keeps_the_order_and_softens():
    sure = np.array([[0.97, 0.02, 0.01]])
    soft = tempered(sure, 4)
    assert soft.sum() == pytest.approx(1) and (np.argsort(soft) == np.argsort(sure)).all()
    assert soft.max() < sure.max()
    assert tempered(sure, 1).tolist() == sure.tolist()
    with pytest.raises(ValueError, match="temperature 0"):
        tempered(sure, 0)


def test_a_saturated_product_has_a_veto(visit):
    assert product(np.array([[1.0, 0.0]]), np.array([[0.01, 0.99]])).argmax() == 0
    answers = visit.answers()
    assert answers.accuracy("product") < answers.accuracy("fused") - 10


def test_nobody_is_tested_on_labelled_photographs(visit):
    labelled = visit.instances(FOUR_USERS).photographs
    assert set(labelled.users) == {0, 1, 2, 3}
    assert set(visit.others.users) == {4, 5, 6, 7}
    ours = {tuple(image.flatten().tolist()) for image in labelled.inputs}
    assert not ours & {tuple(image.flatten().tolist()) for image in visit.others.inputs}


def test_the_clean_images_of_training_are_in_no_domain():
    data = digits(2)
    seen = {tuple(image.flatten().tolist()) for image in data.train.inputs[:800]}
    unseen = {tuple(image.flatten().tolist()) for image in town(data, 2).images.inputs}
    assert len(unseen) > 900 and len(seen & unseen) < 3  # two digits of the set are equal by chance


def test_a_domain_holds_its_classes_only(place):
    assert set(place.visit(DUSK).photographs.targets) == set(DUSK.classes)


def test_the_filter_drops_useless_photographs_and_each_phone_tells_one_number(visit):
    filtered, unfiltered = (visit.instances(Labelling(filtered=each)) for each in (True, False))
    assert filtered.useless < 0.02 < 0.15 < unfiltered.useless
    photographs = visit.photographs.of(range(4))
    keep = usable(photographs)
    assert keep[~photographs.useless].mean() > 0.8
    assert quality(photographs)[photographs.useless].max() < np.median(quality(photographs))


def test_suggestions_are_the_models_first_answers(visit):
    few = visit.others
    first = suggestions(visit.model, few, 3)
    assert first.shape == (len(few), 3)
    assert (first[:, 0] == visit.model.probabilities(few.inputs).argmax(axis=1)).all()
    assert (suggestions(visit.model, few, 10) == few.targets[:, None]).any(axis=1).all()


def test_label_noise_changes_about_its_share_and_stays_in_the_domain(place):
    made = place.visit(DUSK).instances(Labelling(noise=0.2))
    wrong = made.labels != made.photographs.targets
    assert 0.1 < wrong.mean() < 0.3 and set(made.labels) <= set(DUSK.classes)
    with pytest.raises(ValueError, match="label noise 2"):
        place.visit(DUSK).instances(Labelling(noise=2))


def test_too_many_labels_or_helpers_are_refused(place):
    with pytest.raises(ValueError, match="usable photographs, cannot label 60"):
        place.visit(TILT).instances(Labelling(labels=60))
    with pytest.raises(ValueError, match="take fewer"):
        place.visit(TILT, Crowd(photos=500))


def test_the_model_of_another_place_is_worse_than_none(place):
    assert lending_adaptation(place, EVEN, Domain("upright", EVEN.classes, tilt=90)).accuracy("fused") < 90


def test_shifting_by_nothing_changes_nothing_and_a_quarter_turn_is_one():
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    still = shift(images, np.zeros(3), np.ones(3), 0.0, np.random.default_rng(0))
    torch.testing.assert_close(still, images, atol=1e-5, rtol=0)
    turned = shift(images, np.full(3, 90.0), np.ones(3), 0.0, np.random.default_rng(0))
    either = [torch.rot90(images, times, (2, 3)) for times in (1, -1)]
    assert min(float((turned - each).abs().max()) for each in either) < 1e-4


def test_photographs_depend_on_the_seed_alone():
    images = Split(torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(300) % 10)
    crowd = Crowd(photos=20)
    first, again, other = (photograph(images, TILT, crowd, seed) for seed in (3, 3, 4))
    assert torch.equal(first.inputs, again.inputs) and not torch.equal(first.inputs, other.inputs)
    with pytest.raises(ValueError, match="must be a number"):
        tilted(TILT, float("nan"))


def test_unknown_arms_are_refused_and_all_are_measured(place):
    row = all_answers([place], [EVEN])[0]
    assert all(0 <= row[0].accuracy(arm) <= 100 for arm in ARMS)
    with pytest.raises(ValueError, match="unknown arm 'best'"):
        row[0].labels("best")


def test_an_empty_adaptation_is_silent():
    assert Adaptation((1, 2)).probabilities(np.ones((2, 5))).tolist() == [[0, 0], [0, 0]]
