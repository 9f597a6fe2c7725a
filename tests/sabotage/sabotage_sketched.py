"""Wrong versions of sketched updates: rounding, rotation, levels and sizes."""

from dataclasses import replace

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.codecs import Chain, Codec, Quantise, Rotate, Subsample, WholeModel
from edgedl_lib.training.communication.dropout import ratios
from edgedl_lib.training.communication.sketched import study
from edgedl_lib.training.communication.sketched.distortion import averaging_error, distinct_levels, rotation_gain
from edgedl_lib.training.communication.sketched.rounds import Variant, digits_task, learn


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


SHORT = 5  # rounds: wrong methods differ early


def _finals(**variants):
    return {name: learn(digits_task(0), variant, SHORT).final for name, variant in variants.items()}


@sabotage("sketch.two_orders", "sketch.uplink_to_target")
def only_rounded():
    """Two bits after a rotation, the sub-sampling forgotten."""
    names = ("uncompressed", "HD, 2 bits")
    traces = {name: [learn(digits_task(0), study.VARIANTS[name], SHORT)] for name in names}
    return dict.fromkeys(
        ("sketch.two_orders", "sketch.uplink_to_target"), study.saving(traces, names[1], target=0.8)[0]
    )


@sabotage("sketch.256x")
def padded_to_a_power_of_two():
    """Each layer padded as a whole: the padding is sent like everything else."""
    return ratios.inner_ratio(Chain(Rotate(), Subsample(0.0625), Quantise(2)))


@sabotage("sketch.mask_beats_lowrank")
def one_step_size_for_all():
    """The step size that suits low rank, for the mask as well."""
    low, mask = study.VARIANTS["low rank 6.25 %"], study.VARIANTS["mask 6.25 %"]
    finals = _finals(low=low, mask=replace(mask, learning_rate=low.learning_rate))
    return finals["mask"] - finals["low"]


@sabotage("sketch.shared_rate")
def each_at_its_best():
    """Tuned step sizes where a shared one is asked for."""
    finals = _finals(low=study.VARIANTS["low rank 6.25 %"], mask=study.VARIANTS["mask 6.25 %"])
    return finals["mask"] - finals["low"]


@sabotage("sketch.one_bit")
def turned_back_without_scale():
    """A transform that is not orthonormal: the update comes back many times too large."""
    codec = WholeModel(Chain(NotOrthonormal(1024), Quantise(1)))
    finals = _finals(rotated=Variant(0.4, codec), plain=study.VARIANTS["I, 1 bit"])
    return finals["rotated"] - finals["plain"]


@sabotage("sketch.reddit_2bit")
def quantised_weights():
    """Two bits for the weights themselves instead of for what has changed in them."""
    finals = _finals(
        plain=study.VARIANTS["uncompressed"], coarse=Variant(0.4, download=WholeModel(Chain(Rotate(1024), Quantise(2))))
    )
    return finals["plain"] - finals["coarse"]


class SharedMask(Subsample):
    """One mask for all clients and rounds: its noise is never averaged away."""

    def forward(self, values, rng):
        return 0, np.ravel(values)[self.positions(0, values.size)]


class KeepsAll(Subsample):
    """The fraction is ignored."""

    def kept_shape(self, shape):
        return (values_of(shape),)

    def positions(self, seed, count):
        return np.arange(count)


@sabotage("sketch.clients1024")
def one_mask_for_all():
    """The same seed for every client."""
    return study.crowd(0, many=12, rounds=6, mask=SharedMask).many


@sabotage("sketch.clients1024.few")
def fraction_ignored():
    """Everything is kept at 10 % and at 1 %."""
    return study.crowd(0, many=4, rounds=4, mask=KeepsAll).few


@sabotage("sketch.reddit_params")
def untied_output():
    """An output with weights of its own."""
    return ratios.lstm_parameters(tied=False)
