"""What a wrong latency model really costs: the time lost by the cut that it chose."""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts


@dataclass(frozen=True, eq=False)
class DecisionRegret:
    """Cuts chosen with predicted times, judged with measured ones; all arrays are (R,), one entry per rate.

    Attributes
    ----------
    chosen_cuts, best_cuts : int, chosen with the predictions and with the measurements
    chosen_values, best_values : the measured objective at both (s or J)
    """

    chosen_cuts: np.ndarray
    best_cuts: np.ndarray
    chosen_values: np.ndarray
    best_values: np.ndarray

    @property
    def regret(self) -> np.ndarray:
        """Fraction by which the choice is worse than the best: 0 is perfect, 0.05 is five per cent slower."""
        lost = self.chosen_values - self.best_values
        return np.divide(lost, self.best_values, out=np.where(lost > 0, np.inf, 0.0), where=self.best_values > 0)

    def hits(self, tolerance=0.0) -> np.ndarray:
        """(R,) bool: the choice is the best one, or worse by a fraction of at most `tolerance`."""
        return (self.chosen_cuts == self.best_cuts) | (self.regret <= tolerance)


def decision_regret(measured: ChainCosts, predicted: ChainCosts, rates, **scan_options) -> DecisionRegret:
    """Choose each cut with `predicted`, evaluate it with `measured`, and compare with the cut that is really best.

    Parameters
    ----------
    measured, predicted : costs of the same chain
    rates : bit/s, one or (R,)
    scan_options : rtt, server_load, objective, radio_power of `scan_cuts`

    Raises
    ------
    ValueError
        If the two are not costs of the same layers.

    Examples
    --------
    >>> measured = ChainCosts(("conv", "dense"), [0.1, 0.5], [0.01, 0.01], [1e5, 1e5, 0])
    >>> optimist = ChainCosts(("conv", "dense"), [0.1, 0.1], [0.01, 0.01], [1e5, 1e5, 0])
    >>> decision_regret(measured, optimist, 4e6).regret.round(2)
    array([1.73])
    """
    if measured.names != predicted.names:
        raise ValueError(
            f"measured and predicted costs are of different layers ({len(measured.names)} and {len(predicted.names)}): "
            "build both from the same graph"
        )
    chosen = scan_cuts(predicted, rates, **scan_options).cuts
    truth = scan_cuts(measured, rates, **scan_options)
    return DecisionRegret(chosen, truth.cuts, truth.table[np.arange(chosen.size), chosen], truth.values)
