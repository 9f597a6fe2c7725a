"""What IONN knows of a network: its units, their times on both sides, and how many bytes each of them is.

A unit is what lies between two dominators of the output, so the units form a chain even if the network has branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.validation import checked_names, checked_scalar, finite_vector
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT, Layer
from edgedl_lib.nets.units import collapse_to_chain, sum_per_unit
from edgedl_lib.nets.zoo import alexnet
from edgedl_lib.system.catalogue import DATA
from edgedl_lib.system.catalogue_file import read_rows

SECONDS_PER_MS = 1e-3
COLUMNS = ("layer", "client_ms", "server_ms", "output_elements", "parameters")
# Seconds that the server needs to load a layer once it has arrived, from the authors' code.
CONV_LOAD_PER_FILTER, CONV_LOAD = 0.003e-3, 0.7e-3
DENSE_LOAD_PER_NEURON_AND_BYTE, DENSE_LOAD = 3e-10, 1.3e-3
OTHER_LOAD = 5e-8


@dataclass(frozen=True, eq=False)
class UnitProfile:
    """Costs of n units in execution order.

    Attributes
    ----------
    names : n distinct names
    client_time, server_time : (n,) s for one query
    load_time : (n,) s that the server needs once, after the unit has arrived
    output_bytes : (n,) bytes as they cross the link
    parameter_bytes : (n,) bytes to upload before the server can run the unit
    input_bytes : bytes that unit 0 reads
    pinned : leading units that only the client can run (Caffe's data layer: nothing has been read before it)

    Raises
    ------
    ValueError
        If a length does not fit, or a number is NaN, infinite or negative.
    """

    names: tuple[str, ...]
    client_time: np.ndarray
    server_time: np.ndarray
    load_time: np.ndarray
    output_bytes: np.ndarray
    parameter_bytes: np.ndarray
    input_bytes: float
    pinned: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", checked_names(self.names))
        for field in ("client_time", "server_time", "load_time", "output_bytes", "parameter_bytes"):
            object.__setattr__(self, field, finite_vector(field, getattr(self, field), len(self.names), "unit"))
        object.__setattr__(self, "input_bytes", checked_scalar("input_bytes", self.input_bytes))
        if not 0 <= self.pinned <= len(self.names):
            raise ValueError(f"pinned is {self.pinned}: give a number of units between 0 and {len(self.names)}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def local_time(self) -> float:
        """A query that never leaves the client, s."""
        return float(self.client_time.sum())

    @property
    def model_bytes(self) -> float:
        """Bytes of the whole network."""
        return float(self.parameter_bytes.sum())


def load_time(layer: Layer) -> float:
    """Seconds to load one layer on the server, by the three lines of the authors' code."""
    if layer.kind == "conv":
        return CONV_LOAD_PER_FILTER * layer.config["filters"] + CONV_LOAD
    if layer.kind == "dense":
        return DENSE_LOAD_PER_NEURON_AND_BYTE * layer.output_elements * layer.input_bytes + DENSE_LOAD
    return OTHER_LOAD


def alexnet_profile() -> UnitProfile:
    """AlexNet on the authors' Odroid XU4 and GTX 1080 Ti, layer by layer, ``data/ionn_alexnet.csv``.

    >>> profile = alexnet_profile()
    >>> len(profile), round(profile.local_time, 4), int(profile.model_bytes)
    (24, 0.8217, 243860896)
    """
    rows = read_rows(DATA / "ionn_alexnet.csv", COLUMNS)
    column = {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS[1:]}
    return UnitProfile(
        names=tuple(row["layer"] for row in rows),
        client_time=SECONDS_PER_MS * column["client_ms"],
        server_time=SECONDS_PER_MS * column["server_ms"],
        load_time=np.array([OTHER_LOAD, *map(load_time, alexnet())]),
        output_bytes=BYTES_PER_ELEMENT * column["output_elements"],
        parameter_bytes=BYTES_PER_ELEMENT * column["parameters"],
        input_bytes=BYTES_PER_ELEMENT * column["output_elements"][0],
        pinned=1,
    )


def unit_profile(graph: LayerGraph, client_time: Sequence[float], server_time: Sequence[float]) -> UnitProfile:
    """Profile of any layer graph, its branches collapsed between dominators.

    Parameters
    ----------
    graph : LayerGraph of N layers
    client_time, server_time : (N,) s

    Raises
    ------
    ValueError
        If the graph has several results, or a length does not fit.

    >>> from edgedl_lib.nets.zoo import googlenet
    >>> graph = googlenet()
    >>> len(graph), len(unit_profile(graph, graph.flop_per_layer(), graph.flop_per_layer()))
    (142, 25)
    """
    units = collapse_to_chain(graph)
    per_unit = [
        sum_per_unit(units, graph, values) for values in (client_time, server_time, [load_time(each) for each in graph])
    ]
    return UnitProfile(
        units.layer_names,
        *per_unit,
        output_bytes=units.output_bytes_per_layer(),
        parameter_bytes=units.parameter_bytes_per_layer(),
        input_bytes=float(graph.input_bytes),
    )
