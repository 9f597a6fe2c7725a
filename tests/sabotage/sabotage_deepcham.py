"""Wrong versions of DeepCham: tested on one's own photographs, points for ratios, borrowed models, vetoes."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from edgedl_lib.nets.datasets import digits
from edgedl_lib.offloading.horizontal.deepcham.adaptation import Fusion, adapt, constrained, product, tempered
from edgedl_lib.offloading.horizontal.deepcham.domains import DOMAINS, tilted
from edgedl_lib.offloading.horizontal.deepcham.labelling import Labelling, suggestions
from edgedl_lib.offloading.horizontal.deepcham.printed import misprinted_names
from edgedl_lib.offloading.horizontal.deepcham.study import FOUR_USERS, lending_adaptation, town
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.catalogue import DATA
from edgedl_lib.system.catalogue_file import read_rows

EVEN, TILT, SENSOR, DUSK = DOMAINS


@lru_cache(maxsize=1)
def place():
    torch.set_num_threads(1)
    return town(digits(0), 0)


@lru_cache(maxsize=4)
def answers(domain):
    return place().visit(domain).answers()


@sabotage("deepcham.accuracy_gain", "deepcham.accuracy_ratio", "deepcham.one_user_gain", "deepcham.label_noise_gain")
def constraining_is_all():
    """Leaving out the adaptation model: labels of the domain, and nothing learnt from its photographs."""
    gain = answers(TILT).gain("constrained")
    return {
        "deepcham.accuracy_gain": gain,
        "deepcham.accuracy_ratio": 1 + gain / 100,
        "deepcham.one_user_gain": gain,
        "deepcham.label_noise_gain": gain,
    }


@sabotage("deepcham.accuracy_gain", "deepcham.accuracy_ratio")
def points_for_percent():
    """The difference of two percentages is in points; the reported figure is a ratio."""
    points = answers(TILT).accuracy("fused") - answers(TILT).accuracy("generic")
    return {"deepcham.accuracy_gain": points, "deepcham.accuracy_ratio": 1 + points / 100}


@sabotage("deepcham.generic_accuracy")
def baseline_on_its_own_images():
    """The accuracy that the generic model was sold with: no shift at all."""
    return answers(EVEN).accuracy("generic")


@sabotage("deepcham.fused_accuracy")
def tested_on_labelled_photographs():
    """The helpers' own photographs, on which the adaptation model was trained."""
    visit = place().visit(TILT)
    made = visit.instances(FOUR_USERS)
    features = visit.model.features(made.photographs.inputs)
    known = constrained(visit.model.probabilities(made.photographs.inputs), TILT.classes)
    learnt = adapt(features, made.labels, TILT.classes).probabilities(features)
    scores = Fusion().combine(known, learnt)
    return 100 * float((np.array(TILT.classes)[scores.argmax(1)] == made.photographs.targets).mean())


@sabotage("deepcham.constrained_least_gain")
def labels_of_the_next_domain():
    """A label set from the neighbouring domain removes right labels too."""
    given = answers(TILT)
    guesses = np.array(DUSK.classes)[constrained(given.generic, DUSK.classes).argmax(axis=1)]
    return 100 * float((guesses == given.targets).mean()) - given.accuracy("generic")


@sabotage("deepcham.more_labels")
def the_same_labels_again():
    """35 labels, four times each: more rows, nothing new."""
    visit = place().visit(TILT)
    made = visit.instances(Labelling(users=1))
    features, asked = visit.model.features(made.photographs.inputs), visit.others
    known = constrained(visit.model.probabilities(asked.inputs), TILT.classes)
    accuracies = []
    for times in (1, 4):
        learnt = adapt(np.tile(features, (times, 1)), np.tile(made.labels, times), TILT.classes)
        scores = Fusion().combine(known, learnt.probabilities(visit.model.features(asked.inputs)))
        accuracies.append(100 * float((np.array(TILT.classes)[scores.argmax(1)] == asked.targets).mean()))
    return accuracies[1] - accuracies[0]


@sabotage("deepcham.no_shift_loss")
def the_model_of_another_place():
    """One adaptation model for the whole town: trained where phones are held upright, used where they are not."""
    lent = lending_adaptation(place(), EVEN, replace(TILT, tilt=90))
    return lent.accuracy("generic") - lent.accuracy("fused")


@sabotage("deepcham.zero_labels")
def labels_make_the_domain():
    """Taking the domain's label set from the labels: with none, nothing constrains the generic model."""
    given = place().visit(TILT).answers(Labelling(users=0))
    return int((given.labels("generic") != given.labels("constrained")).sum())


@sabotage("deepcham.missing_class", "deepcham.fusion_over_adaptation")
def all_weight_on_the_small_model():
    """It is so good with many labels; without some, or with few, it is not."""
    visit, alone = place().visit(SENSOR), Fusion(weight=1.0)
    without = visit.answers(Labelling(missing=(3,)), alone)
    few = visit.answers(Labelling(users=1), alone)
    return {
        "deepcham.missing_class": without.recall("fused", 3),
        "deepcham.fusion_over_adaptation": few.accuracy("fused") - few.accuracy("adapted"),
    }


@sabotage("deepcham.product_trap")
def a_tempered_product():
    """With softened votes the product has no veto, and nothing is learnt about the trap."""
    given = place().visit(tilted(TILT, 35)).answers()
    scores = product(tempered(given.constrained, 16), given.adapted)
    guesses = np.array(given.classes)[scores.argmax(axis=1)]
    return given.accuracy("fused") - 100 * float((guesses == given.targets).mean())


@sabotage("deepcham.useless_photos")
def no_filter():
    """Every photograph is as good as another."""
    return 100 * place().visit(TILT).instances(Labelling(filtered=False)).useless


@sabotage("deepcham.top_k")
def a_single_suggestion():
    """Showing the first answer only: the model is mostly wrong here."""
    made = place().visit(TILT).instances(FOUR_USERS)
    return 100 * float((suggestions(place().model, made.photographs, 1)[:, 0] == made.labels).mean())


@sabotage("deepcham.users_spread")
def four_users_with_fewer_labels():
    """Comparing people at the same number of labels *each*, the other way round: 9 from one against 36."""
    visit = place().visit(TILT)
    counts = (Labelling(1, 9), Labelling(1, 36))
    few, many = (visit.answers(how).accuracy("fused") for how in counts)
    return few - many


@sabotage("deepcham.table_misprint")
def the_corrected_table():
    """Looking for misprints in the table after they were corrected."""
    rows = read_rows(DATA / "survey" / "table_5_modes.csv", ("reference", "system"))
    names = {reference: name for reference, (_, name) in misprinted_names().items()}
    return sum(row["system"] != names[row["reference"]] for row in rows if row["reference"] in names)
