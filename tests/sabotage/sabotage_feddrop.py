"""Wrong versions of Federated Dropout and of lossy links: shapes, bits, shares and directions."""

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.codecs import Matrices, Quantise, Subsample
from edgedl_lib.training.communication.dropout import ratios, study
from edgedl_lib.training.communication.sketched.rounds import Variant, digits_task, learn

LOSSY = {"upload": study.LOSSY_UP, "download": study.LOSSY_DOWN}
SHORT = 8  # rounds: wrong methods differ early


def _run(rounds=SHORT, **settings):
    return learn(digits_task(0), Variant(study.RATE, **settings), rounds)


def _cost(**settings):
    return _run().final - _run(**settings).final


@sabotage("feddrop.down", "feddrop.up", "feddrop.compute", "feddrop.derived.size_ratio")
def inputs_are_kept():
    """Units are dropped, but each layer still reads all of the layer before it."""
    wrong = ratios.ratios(ratios.MNIST_CNN, 0.75, Quantise(4), Quantise(2), inputs_too=False)
    part = ratios.kept(ratios.MNIST_CNN, 0.75, inputs_too=False)
    return {
        "feddrop.down": wrong.down,
        "feddrop.up": wrong.up,
        "feddrop.compute": wrong.compute,
        "feddrop.derived.size_ratio": ratios.total(ratios.MNIST_CNN, "parameters") / ratios.total(part, "parameters"),
    }


@sabotage("feddrop.down_up_to", "feddrop.up_up_to", "feddrop.compute_up_to")
def the_smaller_network():
    """ "Up to" read as the network that gains least."""
    least = ratios.ratios(ratios.MODEL_C, 0.875, Quantise(4), Quantise(2))
    return {
        "feddrop.down_up_to": least.down,
        "feddrop.up_up_to": least.up,
        "feddrop.compute_up_to": least.compute,
    }


@sabotage("feddrop.cifar.down", "feddrop.cifar.up", "feddrop.cifar.compute")
def three_quarters_everywhere():
    """p = 0.75 for both networks, the inputs dropped too: CIFAR-10 would gain as much as MNIST."""
    wrong = ratios.ratios(ratios.MODEL_C, 0.75, Quantise(4), Quantise(2))
    return {"feddrop.cifar.down": wrong.down, "feddrop.cifar.up": wrong.up, "feddrop.cifar.compute": wrong.compute}


@sabotage("feddrop.derived.down", "feddrop.derived.up")
def twice_the_bits():
    """Eight bits down and four up."""
    return {
        "feddrop.derived.down": ratios.derived_bits_ratio(8, 1.775),
        "feddrop.derived.up": ratios.derived_bits_ratio(4, 1.775),
    }


@sabotage("feddrop.quality", "feddrop.keep75")
def dropped_for_kept():
    """Three quarters of the units are dropped, not kept."""
    part = _run(25, keep=0.25, **LOSSY).final
    return {"feddrop.quality": _run(25).final - part, "feddrop.keep75": _run(25, **LOSSY).final - part}


@sabotage("feddrop.monotone")
def shares_the_wrong_way_round():
    """The share dropped taken for the share kept: the whole network is the slowest."""
    rounds = {
        share: _run(keep=keep, **LOSSY).rounds_to(0.5) for share, keep in zip(study.KEPT, study.KEPT[::-1], strict=True)
    }
    return study.slower_steps(rounds)


@sabotage("feddrop.half_cost")
def half_of_the_weights():
    """Half of the weights instead of half of the units: seven tenths of the units."""
    return _run(keep=0.5**0.5, **LOSSY).rounds_to(0.8) / _run(**LOSSY).rounds_to(0.8)


@sabotage("feddrop.quarter_fails")
def quarter_of_the_weights():
    """A quarter of the weights, which is half of the units."""
    return study.best_accuracy([_run(60, keep=0.5, **LOSSY)])[0]


@sabotage("feddrop.keep")
def any_share_will_do():
    """A criterion so wide that every share passes."""
    runs = {share: [_run(2, keep=share, **LOSSY)] for share in (1.0, 0.5, 0.25)}
    return study.smallest_share(runs, points=100)


@sabotage("feddrop.download4")
def levels_for_bits():
    """Four levels taken for four bits."""
    return _cost(download=Matrices(Quantise(2)))


@sabotage("feddrop.download2")
def bytes_for_bits():
    """Eight bits where two are asked for."""
    return _cost(download=Matrices(Quantise(8)))


@sabotage("feddrop.upload_quarter", "feddrop.download_quarter")
def the_wrong_direction():
    """The two links confused."""
    return {
        "feddrop.upload_quarter": _cost(download=Matrices(Subsample(0.25))),
        "feddrop.download_quarter": _cost(upload=Matrices(Subsample(0.25))),
    }
