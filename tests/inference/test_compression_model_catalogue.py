"""MCDNN: budgets, accounts, bounds, specialisation and sharing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgedl_lib.inference.compression.catalogues import model_catalogue as catalogue
from edgedl_lib.inference.compression.catalogues import model_scheduling as scheduling
from edgedl_lib.inference.compression.catalogues import model_specialisation as specialisation
from edgedl_lib.nets.zoo import mobilenet_v1

CHEAP = catalogue.Option("cheap", 50.0, energy=0.1, memory=1e6)
GOOD = catalogue.Option("good", 70.0, energy=0.4, memory=4e6)
REMOTE = catalogue.Option("cloud", 90.0, energy=0.1, money=1.0)
APPS = (
    catalogue.Application("first", 0.05, (CHEAP, GOOD, REMOTE)),
    catalogue.Application("second", 0.05, (CHEAP, GOOD, REMOTE)),
)


def play(budgets, policy=None, seed=0, applications=APPS, **options):
    day = scheduling.draw_day(applications, seed, duration=10_000.0, **options)
    policy = policy or scheduling.ApproximateScheduler(day)
    return day, scheduling.play(day, budgets, policy)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("energy", [150.0, 250.0, 600.0])
def test_scheduler_keeps_every_budget_serves_all_and_stays_below_the_bound(energy, seed):
    budgets = scheduling.Budgets(energy, 100, 6e6)
    day, result = play(budgets, seed=seed)
    assert result.served == 1
    assert result.highest_use <= 1
    assert result.accuracy <= scheduling.offline_bound(day, budgets) + 1e-9
    assert scheduling.static_optimum(day, budgets) <= scheduling.offline_bound(day, budgets) + 1e-9


def test_more_budget_never_lowers_the_bound_and_unlimited_budgets_buy_the_best():
    day, result = play(scheduling.Budgets(1e6, 1e6, 1e8), up=1e9)
    assert result.accuracy > 89.5
    bounds = [scheduling.offline_bound(day, scheduling.Budgets(energy, 50, 1e7)) for energy in (150, 250, 400)]
    assert bounds == sorted(bounds)


def test_no_link_means_no_cloud_and_no_money_means_no_call():
    _, offline = play(scheduling.Budgets(1e6, 1e6, 1e8), up=1e-6, down=1e9)
    _, poor = play(scheduling.Budgets(1e6, 0, 1e8))
    assert offline.money == poor.money == 0
    assert offline.accuracy == pytest.approx(70, abs=1)


def test_best_always_empties_the_battery_and_unserved_requests_count_as_wrong():
    day, result = play(scheduling.Budgets(200.0, 0, 1e8), scheduling.best_always)
    assert result.served < 0.6
    assert result.accuracy == pytest.approx(70 * result.served)
    assert result.energy <= 1


def test_loading_is_paid():
    day, result = play(scheduling.Budgets(1e6, 0, 1e8), scheduling.cheapest_always)
    loading = 2 * CHEAP.loading_energy
    assert result.energy * 1e6 == pytest.approx(len(day.times) * CHEAP.energy + loading)
    assert GOOD.loading_energy > CHEAP.loading_energy > 0


def test_a_day_follows_from_its_seed_and_ends_without_a_division_by_zero():
    one, two = (scheduling.draw_day(APPS, 5, duration=500.0) for _ in range(2))
    assert np.array_equal(one.times, two.times)
    assert np.array_equal(one.online, two.online)
    late = replace(one, times=np.full_like(one.times, 500.0))
    result = scheduling.play(late, scheduling.Budgets(1e3, 10, 1e7), scheduling.ApproximateScheduler(late))
    assert np.isfinite(result.accuracy)


def test_bound_of_a_day_that_cannot_be_served_is_refused():
    day, _ = play(scheduling.Budgets(1e6, 1e6, 1e8))
    with pytest.raises(ValueError, match="raise the energy budget"):
        scheduling.offline_bound(day, scheduling.Budgets(1.0, 0, 1e7))
    with pytest.raises(ValueError, match="budgets must be positive"):
        scheduling.Budgets(0.0, 1, 1e6)
    with pytest.raises(ValueError, match="at least one variant"):
        catalogue.Application("empty", 1.0, (REMOTE,))


def test_catalogue_trades_accuracy_for_energy():
    for application in catalogue.standard_applications():
        accuracies = [option.accuracy for option in application.variants]
        assert accuracies == sorted(accuracies)
        assert application.best.accuracy < catalogue.cloud().accuracy


def test_sharing_everything_costs_one_network_and_nothing_costs_all():
    graph = mobilenet_v1()
    assert catalogue.shared_stem_share(graph, "prob", 4) == pytest.approx(0.25)
    assert catalogue.shared_stem_share(graph, "conv1", 3) > 0.98
    assert catalogue.shared_stem_share(graph, "pw11", 1) == pytest.approx(1)
    with pytest.raises(ValueError, match="cannot share"):
        catalogue.shared_stem_share(graph, "pw11", 0)


def test_specialisation_pays_on_a_skewed_stream_and_stays_off_on_a_uniform_one():
    torch.set_num_threads(1)
    skewed = specialisation.specialisation_study(1.8, seed=7, requests=1_500)
    assert skewed.switched_on
    assert skewed.gain > 2
    assert not specialisation.specialisation_study(0.0, seed=7, requests=100).switched_on


def test_zipf_shares():
    assert specialisation.zipf_shares(0.0, 4) == pytest.approx([0.25] * 4)
    assert specialisation.zipf_shares(1.8)[:5].sum() >= 0.8
    with pytest.raises(ValueError, match="must not be negative"):
        specialisation.zipf_shares(-1.0)
