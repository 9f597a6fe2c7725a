"""Wrong versions of model inversion: a defence bypassed, an attack that cannot see, a server that mixes things up."""

from functools import cache

import numpy as np

from edgedl_lib.reproduce.datasets import load_dataset
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.security.inversion import attack, protection, scores, study, updates


@cache
def setting():
    """Devices, a trained classifier and the classes' mean images."""
    digits = load_dataset("digits").flat()
    images, labels = digits.train.inputs.double().numpy(), digits.train.targets.numpy()
    devices = updates.neighbouring_digits(images, labels, 45)
    return devices, updates.train(devices, 200, 1.0), scores.class_means(images, labels, 10), digits


@sabotage("model_inversion.leak_possible", "model_inversion.resemblance")
def untrained_classifier():
    """Attacks random weights: reconstructions of nothing."""
    generator = np.random.default_rng(0)
    model = protection.Softmax(generator.normal(size=(10, 64)), np.zeros(10))
    outcome = study.white_box(model, setting()[2])
    return {"model_inversion.leak_possible": outcome.hits, "model_inversion.resemblance": outcome.resemblance}


@sabotage("model_inversion.rounding_stops", "model_inversion.rounding_resemblance")
def slope_of_the_unrounded():
    """Rounds only what is shown: the attacker still descends along the analytic slope of the confidences in full."""
    _, model, means, _ = setting()
    found = attack.invert(protection.rounded(model, 0.1), model.gradient, np.arange(10), 64)
    outcome = study._scored(found, means)
    return {
        "model_inversion.rounding_stops": outcome.hits,
        "model_inversion.rounding_resemblance": outcome.resemblance,
    }


@sabotage("model_inversion.rounding_low_cost")
def noise_instead_of_rounding():
    """Hides confidences under noise that is large enough to hide them: the decision drowns too."""
    _, model, _, digits = setting()
    images, labels = digits.test.inputs.double().numpy(), digits.test.targets.numpy()
    hidden = model(images) + np.random.default_rng(0).laplace(0, 0.5, (len(labels), 10))
    return 100 * (model.accuracy(images, labels) - (hidden.argmax(1) == labels).mean())


@sabotage("model_inversion.fine_rounding")
def a_hundredth_is_not_fine():
    """Rounds to a hundredth and calls it fine."""
    _, model, means, _ = setting()
    coarse = study.black_box(protection.rounded(model, 0.01), means, study.SMALL_STEP)
    return coarse.resemblance - study.black_box(model, means, study.SMALL_STEP).resemblance


@sabotage("model_inversion.rounding_threshold")
def any_outcome_counts_as_stopped():
    """Calls an attack stopped when it recovers no more than all classes."""
    _, model, means, _ = setting()
    return study.protective_rounding(study.rounding_study(model, means, study.SMALL_STEP), most=10)


@sabotage("model_inversion.patient_attacker")
def bold_attacker_forgets_to_be_bold():
    """Tests the defence with the small steps it was made for."""
    _, model, means, _ = setting()
    return study.black_box(protection.rounded(model, 0.1), means, study.SMALL_STEP).hits


@sabotage("model_inversion.label_only")
def decision_with_its_confidence():
    """Releases the decision together with how sure it is: the slope is back."""
    _, model, means, _ = setting()

    def decide(images):
        shares = model(images)
        return shares * (shares == shares.max(1, keepdims=True))

    return study.black_box(decide, means, study.LARGE_STEP).hits


@sabotage("model_inversion.update_leaks")
def reads_the_biases_that_fall():
    """Takes the classes whose bias an update lowers most: those that the device does not hold."""
    devices, *_ = setting()
    model = updates.train(devices, 20, 1.0)
    falls = [updates.gradient_step(model, device, -1.0) for device in devices]
    return updates.devices_identified(falls, devices)


@sabotage("model_inversion.sum_hides")
def sum_that_is_a_list():
    """Keeps the updates apart under the name of a sum."""
    devices, *_ = setting()
    return study.curious_server(devices, 20, 1.0).from_updates


@sabotage("fl_privacy.secagg_dp_applicable")
def a_sum_that_wraps_and_noise_per_number_of_devices():
    """Too many fraction bits wrap the sum, and noise is not averaged: neither protection leaves a model."""
    devices, *_ = setting()
    steps = [updates.gradient_step(updates.train(devices, 20, 1.0), device, 1.0) for device in devices]
    fixed = [np.mod(np.round(step.weight * 2**36), 2**32) for step in steps]
    wrong = np.abs(np.mod(sum(fixed), 2**32) / 2**36 - sum(step.weight for step in steps)).max()
    return int(wrong < 1e-4)
