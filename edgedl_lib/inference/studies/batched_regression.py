"""Neurosurgeon's regressions, fitted apart for single samples and for batches.

A dense layer asked for one sample multiplies a matrix by a vector and waits for its weights; asked for many it
multiplies matrices and computes.  The paper's variables, numbers of inputs and outputs, cannot tell the two apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgedl_lib.inference.partition.regression import LatencyModel, NeurosurgeonModel
from edgedl_lib.inference.partition.variables import layer_type


@dataclass
class SingleOrBatched:
    """Two latency models, one for calls with a single sample and one for calls with several.

    A type of layer that was never measured in batches is predicted by the first model.
    """

    single: LatencyModel = field(default_factory=NeurosurgeonModel)
    batched: LatencyModel = field(default_factory=NeurosurgeonModel)
    types_in_batches: frozenset[str] = frozenset()

    def fit(self, layers: Sequence, latencies, batches) -> "SingleOrBatched":
        """Fit both to `latencies` (S,) in s of `layers` called with `batches` (S,); returns the model itself.

        Raises
        ------
        ValueError
            If no layer was measured with a single sample, or none with several.
        """
        latencies, batches = np.asarray(latencies), np.asarray(batches)
        for model, rows in ((self.single, batches == 1), (self.batched, batches > 1)):
            if not rows.any():
                raise ValueError(
                    f"batches are {sorted(set(batches.tolist()))}: measure some calls of one and of several"
                )
            chosen = [layer for layer, row in zip(layers, rows, strict=True) if row]
            model.fit(chosen, latencies[rows], batches[rows])
        several = (layer for layer, batch in zip(layers, batches, strict=True) if batch > 1)
        self.types_in_batches = frozenset(map(layer_type, several))
        return self

    def predict(self, layers: Sequence, batch: int = 1) -> np.ndarray:
        """Predicted latency (N,) in s of `layers`, all called with `batch` samples."""
        models = [
            self.batched if batch > 1 and layer_type(layer) in self.types_in_batches else self.single
            for layer in layers
        ]
        return np.array([model.predict([layer], batch)[0] for model, layer in zip(models, layers, strict=True)])
