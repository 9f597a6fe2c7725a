"""Wrong versions of sketched updates: rounding, rotation, levels and sizes."""

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.codecs import Chain, Codec, Quantise, Rotate, Subsample
from edgedl_lib.training.communication.sketched.distortion import averaging_error, distinct_levels, rotation_gain


class Signs(Rotate):
    """Random signs without the transform."""

    def forward(self, values, rng):
        seed = int(rng.integers(2**32))
        return seed, np.pad(values, (0, self.kept_shape(values.shape)[0] - values.size))

    def backward(self, seed, kept, shape):
        return kept[: values_of(shape)]


def values_of(shape):
    """Number of entries."""
    return int(np.prod(shape))


class NotOrthonormal(Rotate):
    """Rotated by the transform but turned back without the scale: errors grow with the root of the length."""

    def backward(self, seed, kept, shape):
        return super().backward(seed, kept, shape) * np.sqrt(kept.size)


class NearestLevel(Quantise):
    """Rounds to the nearest level instead of at random."""

    def write(self, values, writer, rng):
        class Certain:
            def random(self, size):
                return np.full(size, 0.5)

        super().write(values, writer, Certain())


class Intervals(Quantise):
    """2^b intervals, as the paper words it: one end point too many for b bits."""

    def write(self, values, writer, rng):
        writer.floats(np.array([values.min(), values.max()]))
        scaled = (values - values.min()) / np.ptp(values) * 2**self.bits
        writer.integers((np.floor(scaled) + (rng.random(len(scaled)) < scaled % 1)).astype(np.uint32), self.bits + 1)

    def read(self, reader, shape):
        low, high = reader.floats(2).astype(float)
        codes = reader.integers(values_of(shape), self.bits + 1)
        return (low + codes * (high - low) / 2**self.bits).astype(np.float32)


@sabotage("sketch.rotation_gain", "sketch.rotation_gain.one_spike")
def signs_without_transform():
    """The random signs alone are no rotation: a spike stays where it is."""
    return {
        "sketch.rotation_gain": rotation_gain("spiky", Signs(), 1, 0),
        "sketch.rotation_gain.one_spike": rotation_gain("spiky", Signs(), 1, 0, spikes=1),
    }


@sabotage("sketch.rotation_gain.growth")
def rotation_of_pieces():
    """Rotating pieces of 64 entries: the gain no longer depends on the length of the vector."""
    gains = [rotation_gain("spiky", Rotate(64), 1, 0, length=length, spikes=4) for length in (4096, 256)]
    return gains[0] / gains[1]


@sabotage("sketch.gaussian_rotation")
def not_orthonormal():
    """An inverse without the scale of the root of the length."""
    return rotation_gain("Gaussian", NotOrthonormal(), 1, 0)


@sabotage("sketch.unbiased")
def nearest_level():
    """Rounding to the nearest level, as one would on a single machine."""
    codec: Codec = Chain(NearestLevel(2))
    vector = np.random.default_rng(0).laplace(size=1024)
    return averaging_error(codec, vector, 400, 0)


@sabotage("sketch.levels")
def intervals_for_levels():
    """Five end points of four intervals."""
    return distinct_levels(Intervals(2), 0)


@sabotage("sketch.unbiased")
def missing_scale():
    """A random part of the values, not scaled up."""

    class Unscaled(Subsample):
        def backward(self, seed, kept, shape):
            return super().backward(seed, kept, shape) * self.fraction

    vector = np.random.default_rng(0).laplace(size=1024)
    return averaging_error(Chain(Unscaled(0.25), Quantise(2)), vector, 400, 0)
