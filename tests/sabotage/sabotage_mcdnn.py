"""Wrong schedulers, wrong accounts and wrong judges for MCDNN."""

from functools import lru_cache

import numpy as np
import torch

from edgedl_lib.inference.compression.catalogues import model_catalogue as catalogue
from edgedl_lib.inference.compression.catalogues import model_scheduling as scheduling
from edgedl_lib.inference.compression.catalogues import model_specialisation as specialisation
from edgedl_lib.nets.training import build, predict
from edgedl_lib.nets.zoo import mobilenet_v1
from edgedl_lib.reproduce.sabotage import sabotage


@lru_cache
def _day():
    return scheduling.compare_policies(catalogue.standard_applications(), seed=0)


@sabotage("mcdnn.tradeoff", "mcdnn.over_static")
def cheapest_always():
    """Thrift taken for scheduling: budgets are kept, accuracy is not."""
    day = _day()
    thrifty = day.results["cheapest always"].accuracy
    return {"mcdnn.tradeoff": thrifty / day.bound, "mcdnn.over_static": thrifty - day.static}


@sabotage("mcdnn.budget_use", "mcdnn.served")
def best_always():
    """The best variants: too large for the memory, and the battery is empty at noon."""
    result = _day().results["best always"]
    return {"mcdnn.budget_use": result.highest_use, "mcdnn.served": result.served}


@sabotage("mcdnn.best_always_ends")
def battery_never_charged():
    """Requests answered without paying for their energy: the battery lasts all day."""
    applications = catalogue.standard_applications()
    day = scheduling.draw_day(applications, 0)
    budgets = scheduling.standard_budgets(day, energy_share=100.0)
    return scheduling.play(day, budgets, scheduling.best_always).last_served


@sabotage("mcdnn.specialise_share")
def only_the_first_layers_shared():
    """A stem of the first convolution and two blocks."""
    return catalogue.shared_stem_share(mobilenet_v1(), "pw2")


@sabotage("mcdnn.specialisation", "mcdnn.specialisation_loss")
def untrained_and_without_other():
    """An untrained small model hands everything over; one that may not say "other" misnames rare classes."""
    centres = specialisation.class_centres(0)
    general = specialisation.train_general(centres, 0)
    shares = specialisation.zipf_shares(0.6)
    requests = specialisation.draw_stream(centres, shares, 1_000, 5)
    special = build(lambda: specialisation.special_network(5), 0)
    untrained = specialisation.Specialised(general, special, np.arange(5))
    _, spent = untrained.serve(requests)
    nearest = torch.cdist(requests.inputs, centres[:5]).argmin(dim=1)
    right = (predict(general, requests.inputs).argmax(dim=1) == requests.targets).float().mean()
    without_other = (nearest == requests.targets).float().mean()
    return {
        "mcdnn.specialisation": specialisation.cost(general) / spent,
        "mcdnn.specialisation_loss": 100 * float(right - without_other),
    }


@sabotage("mcdnn.uniform_off")
def always_specialised():
    """A rule that takes the five most frequent classes whatever their share."""
    centres = specialisation.class_centres(0)
    general = specialisation.train_general(centres, 0)
    window = specialisation.draw_stream(centres, specialisation.zipf_shares(0.0), 400, 3).inputs
    _, share = specialisation.frequent_classes(general, window)
    return float(share > 0)
