"""Wrong memory counts for training on a phone."""

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import training_memory
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("mobile_training.memory_constraint")
def inference_memory():
    """Parameters and activations only: what inference needs."""
    graph = model("vgg16")
    return (graph.parameter_bytes + training_memory.activation_bytes(graph)) / 1e9


@sabotage("mobile_training.vgg_memory")
def optimiser_forgotten():
    """Parameters and gradients, no slot for the momentum."""
    return training_memory.state_bytes(model("vgg16").parameter_count, optimiser_slots=0) / 1e9


@sabotage("mobile_training.mentee")
def mentor_trained_instead():
    """The mentor network in the mentee's place."""
    return training_memory.training_bytes(model("vgg16"), batch=16) / 1e6


@sabotage("mobile_training.speedup_of_cut")
def cut_read_as_speedup():
    """44.8 % less time is not 44.8 % more speed."""
    return 1.448
