"""The same optimum by a general solver, which knows nothing of the closed forms."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from edgedl_lib.training.resources.fedl.allocation import Allocation
from edgedl_lib.training.resources.fedl.cell import FedlCell
from edgedl_lib.training.wireless import computing_energy


def numerical_cost(cell: FedlCell, kappa: float) -> float:
    """Least cost over clocks, slots and local accuracy, by sequential least squares (SLSQP).

    The clocks and slots are solved in units of their largest values; the outer search over theta is one-dimensional.
    """
    return least_total(least_computing(cell, kappa), least_sending(cell, kappa))


def differences(cell: FedlCell, plan: Allocation) -> tuple[float, float, float]:
    """By how much each closed form (SUB1, SUB2, SUB3) misses the solver's optimum, relative to it."""
    computing = plan.computing_energy + plan.kappa * plan.computing_time
    sending = plan.sending_energy + plan.kappa * plan.sending_time
    pairs = (
        (computing, least_computing(cell, plan.kappa)),
        (sending, least_sending(cell, plan.kappa)),
        (plan.cost, least_total(computing, sending)),
    )
    return tuple(abs(ours / solved - 1) for ours, solved in pairs)


def least_total(computing: float, sending: float) -> float:
    """SUB3: the least ``(sending - ln theta * computing) / (1 - theta)`` over theta in (0, 1)."""

    def cost(variable: np.ndarray) -> float:
        theta = 1 / (1 + np.exp(-variable[0]))
        return (sending - np.log(theta) * computing) / (1 - theta)

    return float(minimize(cost, [-1.0], method="BFGS").fun)


def least_computing(cell: FedlCell, kappa: float) -> float:
    """SUB1. Variables: clocks over their largest, and the common time in seconds."""

    def cost(variables: np.ndarray) -> float:
        clock = variables[:-1] * cell.maximum_clock
        return computing_energy(cell.cycles, clock, cell.capacitance).sum() + kappa * variables[-1]

    def slack(variables: np.ndarray) -> np.ndarray:
        return variables[-1] - cell.cycles / (variables[:-1] * cell.maximum_clock)

    start = np.append(np.ones(len(cell.bits)), (cell.cycles / cell.maximum_clock).max())
    bounds = [(cell.minimum_clock / largest, 1.0) for largest in cell.maximum_clock] + [(0.0, None)]
    options = {"maxiter": 1000, "ftol": 1e-13}
    constraint = {"type": "ineq", "fun": slack}
    return float(minimize(cost, start, method="SLSQP", bounds=bounds, constraints=constraint, options=options).fun)


def least_sending(cell: FedlCell, kappa: float) -> float:
    """SUB2. Slots are independent of each other: one bounded search each."""
    shortest, longest = cell.slot_limits
    total = 0.0
    for number in range(len(cell.bits)):
        low, high = shortest[number], longest[number]

        def cost(share: np.ndarray, number=number, low=low, high=high) -> float:
            slot = np.full(len(cell.bits), low + share[0] * (high - low))
            return (slot * cell.power(slot))[number] + kappa * slot[number]

        total += float(minimize(cost, [0.5], method="L-BFGS-B", bounds=[(0, 1)], options={"ftol": 1e-15}).fun)
    return total
