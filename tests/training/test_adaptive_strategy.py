"""The controller on the engine takes the same decisions as the one in lockstep arrays."""

from functools import partial

import numpy as np
import pytest
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.communication.adaptive import study
from edgedl_lib.training.communication.adaptive.control import Control
from edgedl_lib.training.communication.adaptive.descent import descend_adaptively
from edgedl_lib.training.communication.adaptive.nodes import case_parts, digit_halves
from edgedl_lib.training.communication.adaptive.strategy import AdaptivePeriod, margin_step
from edgedl_lib.training.communication.fedpaq.averaging import TwoClasses
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.run import RunFailed, run
from edgedl_lib.training.strategy import BadUpdate, ClientUpdate
from edgedl_lib.training.task import Task

BUDGET = 2.5


def task(case):
    inputs, labels, test_inputs, test_labels = digit_halves(0)
    splits = [
        Split(torch.from_numpy(inputs[part]).float(), torch.from_numpy((labels[part] % 2 == 0).astype(np.int64)))
        for part in case_parts(case, labels, 5)
    ]
    test = Split(torch.from_numpy(test_inputs).float(), torch.from_numpy((test_labels % 2 == 0).astype(np.int64)))
    data = FederatedData("even or odd", tuple(splits), test, 2)
    return Task(data.name, data, partial(TwoClasses, 64), LocalTraining(steps=1), client_step=margin_step)


@pytest.mark.parametrize("case", [1, 2, 4])
def test_the_engine_chooses_the_same_periods(case):
    expected = descend_adaptively(study.even_odd_nodes(case, 0)[0], budget=BUDGET, seed=0)
    strategy = AdaptivePeriod(nodes=5, control=Control(), budget=BUDGET)
    history = run(task(case), strategy, len(expected.periods))
    assert np.allclose(strategy.periods, expected.periods, atol=1)
    assert strategy.best[0] == pytest.approx(min(expected.losses[:-1]), rel=2e-3)
    assert history.accuracy[-1] > 0.75
    assert strategy.clock.total <= BUDGET


def test_nobody_is_asked_after_the_budget():
    strategy = AdaptivePeriod(nodes=5, control=Control(), budget=1.0)
    with pytest.raises(RunFailed, match="no update"):
        run(task(1), strategy, 60)
    asked = [each.chosen for each in strategy.rounds]
    assert asked[0] and not any(asked[len(strategy.periods) :])


def test_an_update_without_a_gradient_is_refused():
    strategy = AdaptivePeriod(nodes=1, control=Control())
    arrays = {"weight": np.zeros(64, dtype=np.float32)}
    with pytest.raises(BadUpdate, match="client 3: sent no gradient"):
        strategy.inspect(ClientUpdate(3, arrays, 10, {}, 0), arrays)
