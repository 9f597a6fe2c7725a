"""Federated Dropout [205]: a smaller dense network for each client, cut out of the server's and put back."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.models import Arrays

Units = dict[str, tuple[np.ndarray, np.ndarray]]  # layer -> kept outputs, kept inputs


def draw_units(arrays: Arrays, keep: float, rng: np.random.Generator) -> Units:
    """Choose the units of each hidden layer of a perceptron: a share `keep`, rounded, at least one.

    Inputs and outputs of the network are always kept.

    Raises
    ------
    ValueError
        `keep` lies outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"the kept share {keep} lies outside (0, 1]; 1 keeps the whole network")
    names = [name.removesuffix(".weight") for name in arrays if name.endswith(".weight")]
    kept = np.arange(arrays[f"{names[0]}.weight"].shape[1])
    units: Units = {}
    for name in names:
        outputs = len(arrays[f"{name}.bias"])
        count = outputs if name == names[-1] else max(1, round(keep * outputs))
        chosen = np.sort(rng.choice(outputs, count, replace=False)) if count < outputs else np.arange(outputs)
        units[name] = (chosen, kept)
        kept = chosen
    return units


def submodel(arrays: Arrays, units: Units) -> Arrays:
    """The network of the kept units: smaller matrices, no rescaling."""
    return {name: values[_places(name, units)] for name, values in arrays.items()}


def spread(change: Arrays, units: Units, like: Arrays) -> Arrays:
    """A sub-model's change at its places in the whole network; zero elsewhere."""
    whole = {name: np.zeros_like(values) for name, values in like.items()}
    for name, values in change.items():
        whole[name][_places(name, units)] = values
    return whole


def coverage(units: Units, like: Arrays) -> Arrays:
    """One where a sub-model has an entry, zero elsewhere."""
    return spread(submodel({name: np.ones_like(values) for name, values in like.items()}, units), units, like)


def _places(name: str, units: Units):
    layer, kind = name.rsplit(".", 1)
    outputs, inputs = units[layer]
    return outputs if kind == "bias" else np.ix_(outputs, inputs)


def combined(changes: list[Arrays], parts: list[Units | None], like: Arrays, by_contributors: bool = False) -> Arrays:
    """Mean change of the whole network from changes of sub-models (None: of the whole network).

    The sum is divided by the number of clients, so that an entry that few of them hold moves little; or, entry by
    entry, by the number of those who hold it.
    """
    whole = [
        change if units is None else spread(change, units, like) for change, units in zip(changes, parts, strict=True)
    ]
    total = {name: sum(np.asarray(each[name], dtype=np.float64) for each in whole) for name in like}
    if not by_contributors:
        return {name: (values / len(whole)).astype(np.float32) for name, values in total.items()}
    ones = {name: np.ones(values.shape) for name, values in like.items()}
    held = [ones if units is None else coverage(units, like) for units in parts]
    counts = {name: np.maximum(1, sum(each[name] for each in held)) for name in like}
    return {name: (values / counts[name]).astype(np.float32) for name, values in total.items()}
