"""Wrong simulations of the cluster's runs, wrong coordinators, wrong tiles; modelled times stand for measured ones."""

import numpy as np
import torch

from edgedl_lib.inference.split.wire import WireError
from edgedl_lib.offloading.cluster import chain_study, tile_study
from edgedl_lib.offloading.cluster.batch import Attempt, Loss, Task
from edgedl_lib.offloading.cluster.coordinator import Board
from edgedl_lib.offloading.cluster.peer import Answer
from edgedl_lib.offloading.cluster.programs import Layers
from edgedl_lib.offloading.cluster.simulated import batch_run, chain_latency, relative
from edgedl_lib.reproduce.sabotage import sabotage

NETWORK_SECONDS = 0.0108  # of the whole network on one core of this kind
PARTS = {(0, 23): 1.0, (0, 15): 0.75, (15, 23): 0.25, (0, 8): 0.44, (8, 15): 0.31}  # shares of it by layers
TILE_SECONDS = np.full(6, 1.1e-3)
PICTURE = tile_study.Picture()


def chain_times(plan, rates, slow=True, factor=1.0):
    """Latency at each rate by the simulator, from modelled times."""
    options = [one.setup for one in plan.stations]
    busy = [NETWORK_SECONDS * PARTS[one.options["begin"], one.options["end"]] for one in options]
    compute = [seconds * (one.slowdown if slow else 1.0) for seconds, one in zip(busy, options, strict=True)]
    sizes = [factor * size for size in chain_study.sent_bytes(plan)]
    return np.array([chain_latency(compute, sizes, plan.rates(rate)) for rate in rates])


def against(plan, rates, wrong):
    return relative(chain_times(plan, rates), wrong)


INTEGRAL, INTEGRAL_RATES = chain_study.integral_plans()["edge"], (2e6, 5e6, 15e6)
PARTIAL, PARTIAL_RATES = chain_study.partial_plans(), (1e6, 3e6, 12e6)
VERTICAL, VERTICAL_RATES = chain_study.vertical_plans()["end, edge, cloud"], (4e6, 10e6, 30e6)


@sabotage("cluster.integral_ratio")
def the_edge_at_full_speed():
    """All processes run on one machine, so the slow-down of the edge is easily forgotten."""
    return against(INTEGRAL, INTEGRAL_RATES, chain_times(INTEGRAL, INTEGRAL_RATES, slow=False))


@sabotage("cluster.integral_ratio")
def bytes_for_bits():
    """A rate in bit/s that divides bytes."""
    return against(INTEGRAL, INTEGRAL_RATES, chain_times(INTEGRAL, INTEGRAL_RATES, factor=1 / 8))


@sabotage("cluster.partial_ratio")
def the_raw_image_for_the_cut():
    """The transfer of the whole network's offloading charged to the cut, whose tensor is a quarter of it."""
    cut = PARTIAL["cut after pool5"]
    extra = [chain_study.sent_bytes(PARTIAL["raw image"])[0], chain_study.sent_bytes(cut)[1]]
    true = chain_times(cut, PARTIAL_RATES)
    return relative(true, true + 8 * (extra[0] - extra[1]) / np.array(PARTIAL_RATES))


@sabotage("cluster.vertical_ratio")
def one_link_for_both_hops():
    """The second hop, a wide-area link, taken to be as fast as the first."""
    plan = chain_study.Plan(VERTICAL.stations, (chain_study.CAMERA, chain_study.VARIED, chain_study.VARIED))
    return against(VERTICAL, VERTICAL_RATES, chain_times(plan, VERTICAL_RATES))


def other_weights():
    """Two processes that draw their weights from different seeds."""
    image = Layers(chain_study.NETWORK).example()
    outputs = [Layers(chain_study.NETWORK, end=chain_study.LAST, seed=seed)(0, image) for seed in (0, 1)]
    return float(np.abs(outputs[1] - outputs[0]).max() / np.abs(outputs[0]).max())


@sabotage("cluster.integral_output_error", "cluster.partial_output_error", "cluster.vertical_output_error")
def weights_of_another_seed():
    """Every process draws its own weights instead of sharing a seed."""
    error = other_weights()
    return {f"cluster.{mode}_output_error": error for mode in ("integral", "partial", "vertical")}


def makespans(wrong):
    """True and wrong makespans for 1, 2, 3 workers at all rates, and where they differ most."""
    compute = tile_study.SLOWDOWN * TILE_SECONDS
    cases = [(count, rate) for count in tile_study.COUNTS for rate in tile_study.RATES]
    true = np.array([tile_study.simulate(PICTURE, compute, *case).seconds for case in cases])
    return relative(true, np.array([wrong(compute, *case) for case in cases]))


@sabotage("cluster.horizontal_ratio")
def one_medium_for_all():
    """All workers behind one link: each gets its share of the rate."""
    return makespans(lambda compute, count, rate: tile_study.simulate(PICTURE, compute, count, rate / count).seconds)


@sabotage("cluster.horizontal_ratio")
def free_transfer():
    """Computing alone, as if pictures were everywhere."""
    nothing = np.zeros(6)
    return makespans(lambda compute, count, rate: batch_run(compute, nothing, nothing, rate, count).seconds)


@sabotage("cluster.horizontal_speedup")
def one_task_after_the_other():
    """A coordinator that waits for each answer before it hands out the next task."""
    compute, sizes = tile_study.SLOWDOWN * TILE_SECONDS, (PICTURE.sent_bytes, PICTURE.reply_bytes)
    alone = tile_study.simulate(PICTURE, compute, 1, 10e6).seconds
    in_turn = [batch_run(*([part] for part in task), 10e6, 3).seconds for task in zip(compute, *sizes, strict=True)]
    return alone / sum(in_turn)


@sabotage("cluster.horizontal_speedup")
def three_behind_one_link():
    """Workers that share one link, as on one radio channel."""
    compute = tile_study.SLOWDOWN * TILE_SECONDS
    alone, three = (tile_study.simulate(PICTURE, compute, count, 10e6 / count).seconds for count in (1, 3))
    return alone / three


@sabotage("cluster.output_error")
def tiles_without_halo():
    """Each tile computed from its own pixels, padded with zeros as if it were a picture of its own."""
    model = PICTURE.program.fused
    image = torch.from_numpy(PICTURE.image).float() / 255
    parts = [[_own_pixels(model, part) for part in strip.chunk(2, dim=3)] for strip in image.chunk(2, dim=2)]
    merged = torch.cat([torch.cat(row, dim=3) for row in parts], dim=2).numpy()
    return float(np.abs(merged - PICTURE.reference).max() / np.abs(PICTURE.reference).max())


def _own_pixels(network, values):
    for modules in network.modules:
        for module in modules:
            values = module(values)
    return values


class Answering:
    """A peer in this very process that computes, and is gone from its third task on."""

    duplicates = 0

    def __init__(self, mortal):
        self.left = 2 if mortal else 10**6

    def perform(self, task, values, deadline):
        if not self.left:
            raise WireError("gone")
        self.left -= 1
        return Answer(task, 2 * values, np.zeros((1, 3)))

    def close(self):
        pass


TASKS = [Task(number, np.full(1, number, np.float32)) for number in range(6)]


def one_by_one(board, workers):
    """The coordinator's rule without threads, so that it is the same every time."""
    while workers and (task := board.take() if board._open else None):
        name, peer = workers.pop(0)
        try:
            board.accept(peer.perform(task.number, task.values, 0.0), name, 0.0)
            workers.append((name, peer))
        except WireError as error:
            board.give_back(task, name, 0.0, str(error))
    return board


class Forgetful(Board):
    def give_back(self, task, worker, begun, reason):
        self.losses.append(Loss(worker, task.number, reason, 0.0))


class Anew(Board):
    """Everything that a lost worker ever did is done again, and counted again."""

    def give_back(self, task, worker, begun, reason):
        theirs = [attempt.task for attempt in self.attempts if attempt.worker == worker]
        self.attempts.append(Attempt(task.number, worker, 0.0, 0.0))
        for number in (task.number, *theirs):
            self._unfinished.add(number)
            self._open.appendleft(TASKS[number])


def crew():
    return [("mortal", Answering(True)), ("steady", Answering(False))]


@sabotage("cluster.killed_lost_tasks")
def what_the_dead_held_is_gone():
    """A queue from which a task vanishes when it is handed out."""
    board = one_by_one(Forgetful(TASKS, {}), crew())
    return len(TASKS) - len(board.outputs)


@sabotage("cluster.killed_duplicates", "cluster.killed_extra_attempts")
def the_dead_workers_results_are_distrusted():
    """A worker that died is taken to have done nothing, though its results had arrived."""
    board = one_by_one(Anew(TASKS, {}), crew())
    done = sum(not attempt.lost for attempt in board.attempts)
    return {
        "cluster.killed_duplicates": done - len(board.outputs),
        "cluster.killed_extra_attempts": len(board.attempts) - len(TASKS),
    }


@sabotage("cluster.killed_ratio")
def death_costs_nothing():
    """A simulation that goes on as if all three workers lived, of a batch in which two tasks' time was lost."""
    compute = tile_study.SLOWDOWN * TILE_SECONDS
    usual = tile_study.simulate(PICTURE, compute, 3, tile_study.KILL_RATE).seconds
    killed = tile_study.simulate(PICTURE, compute, 3, tile_study.KILL_RATE, leaves={"worker 2": 0.9 * usual}).seconds
    return killed / usual
