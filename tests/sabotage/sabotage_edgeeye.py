"""Wrong versions of EdgeEye: no second engine, a careless fold, a mixed-up batch, one thread for all sinks."""

import copy

import torch

from edgedl_lib.offloading.integral.edgeeye import applications, engines, network, study
from edgedl_lib.offloading.integral.edgeeye.offloading import Deployment
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.timing import Timing, ratio_in_turn


def _network_and_pictures():
    torch.set_num_threads(1)
    model, generator = network.build(network.detector, 0), torch.Generator().manual_seed(0)
    for layer in model:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2, generator=generator)
    frames, _ = network.camera_frames(0, 40)
    return model.eval(), [network.resize(network.decode(frame), network.DETECTOR_SIDE) for frame in frames]


@sabotage("edgeeye.inference_performance")
def same_engine_twice():
    """A service in front of the framework's own path: the interface is nicer, the engine the same."""
    return ratio_in_turn(Timing((0.001, 0.002)), Timing((0.001, 0.002)))


@sabotage("edgeeye.output_difference")
def fold_without_the_mean():
    """Batch normalisation is a scale, so only the weights are folded."""
    model, pictures = _network_and_pictures()
    careless = copy.deepcopy(model)
    for layer in careless:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.zero_()
    return engines.largest_difference(engines.FrameworkEngine(model), engines.OptimisedEngine(careless), pictures)


class Shuffled(engines.OptimisedEngine):
    """Answers leave the batch in the order in which they finish."""

    def infer(self, pictures):
        return super().infer(pictures)[::-1]


@sabotage("edgeeye.same_answers")
def batch_out_of_order():
    """Rows of a batch are told apart by their place alone."""
    model, pictures = _network_and_pictures()
    return engines.same_answers(engines.FrameworkEngine(model), Shuffled(model), pictures)


@sabotage("edgeeye.application_lines")
def service_counted_too():
    """The program that the application needs to run includes the service's own pipeline."""
    parts = (applications.with_service, study.EdgeEye, engines.OptimisedEngine)
    return sum(map(applications.line_count, parts)) / applications.line_count(applications.with_framework)


@sabotage("edgeeye.offloading_at_20mbps", "edgeeye.offloading_below_1mbps")
def bits_for_bytes():
    """Bits for bytes one way, a free link the other way: both are one line of a spreadsheet."""
    deployment = Deployment()
    slow = deployment.camera_seconds / (8 * 8 * deployment.frame_bytes / 20e6 + deployment.edge_seconds)
    free = deployment.camera_seconds / (deployment.edge_seconds + deployment.round_trip)
    return {"edgeeye.offloading_at_20mbps": slow, "edgeeye.offloading_below_1mbps": free}


@sabotage("edgeeye.isolated_frames")
def one_loop_for_all_sinks():
    """Sinks are called where the detections are made: the first exception ends the loop."""
    delivered = []
    try:
        for number in range(20):
            for sink in (study.crashing_sink, delivered.append):
                sink(number)
    except RuntimeError:
        pass
    return 100 * len(delivered) / 20
