"""Wrong versions of Kashin's representation: no iteration, clipping to the end, padding at the end."""

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.codecs import Chain, Kashin, Quantise, Rotate
from edgedl_lib.training.communication.dropout import kashin
from edgedl_lib.training.communication.sketched.distortion import distortion, random_vectors


class ClippedToTheEnd(Kashin):
    """The last iteration is clipped like the others."""

    def forward(self, values, rng):
        seed, coefficients = super().forward(values, rng)
        level = np.linalg.norm(values) / np.sqrt(coefficients.size)
        return seed, np.clip(coefficients, -2 * level, 2 * level)


@sabotage("kashin.role")
def no_transform():
    """Sub-sampling and quantising the vector as it is."""
    return kashin.role(None, 0)


@sabotage("kashin.lossless")
def clipped_to_the_end():
    """What sticks out is cut off instead of being sent."""
    return kashin.reconstruction_error(ClippedToTheEnd(), 0)


@sabotage("kashin.peak", "kashin.two_bits")
def without_iteration():
    """A tight frame alone is a rotation: the energy is spread by chance, not by the iteration."""
    return {
        "kashin.peak": kashin.peak_ratio(kashin.SINGLE, kashin.SINGLE, 0),
        "kashin.two_bits": kashin.same_frame(2, 0, kashin.SINGLE),
    }


@sabotage("kashin.scatter")
def zeros_at_the_end():
    """Both paddings at the end: the Sylvester matrix doubles every coefficient."""
    return kashin.peak_ratio(Kashin(scatter=False), Kashin(scatter=False), 0, kashin.FULL_LENGTH)


@sabotage("kashin.equal_bits")
def bits_a_coefficient():
    """Counting bits a coefficient and forgetting that Kashin has twice as many."""
    vectors = random_vectors("Gaussian", kashin.FULL_LENGTH, kashin.COUNT, 0)
    spread = distortion(Chain(Kashin(), Quantise(2)), vectors, 0)
    return spread / distortion(Chain(Rotate(), Quantise(2)), vectors, 0)
