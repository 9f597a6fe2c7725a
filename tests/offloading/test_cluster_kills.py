"""Workers that are killed, hang or talk nonsense: nothing is lost, nothing counts twice, nobody waits for ever."""

import threading
import time

import numpy as np
import pytest

from edgedl_lib.offloading.cluster import Batch, NoWorkerLeft, Setup, Task, TaskRefused, Workers
from edgedl_lib.offloading.cluster.programs import Layers

SLOW = Setup("layers", {"network": "lenet5"}, slowdown=6.0)  # about 7 ms for each task
PROGRAM = Layers("lenet5")
IMAGES = [np.random.default_rng(number).integers(0, 256, (1, 1, 28, 28), dtype=np.uint8) for number in range(12)]
TASKS = [Task(number, image, PROGRAM.output_shape()) for number, image in enumerate(IMAGES)]
REFERENCE = [PROGRAM(0, image) for image in IMAGES]
KILLS = 20


def complete(batch, tasks=TASKS):
    """Every task once, every output that of the whole network in this process."""
    assert sorted(batch.outputs) == [task.number for task in tasks]
    for task in tasks:
        np.testing.assert_array_equal(batch.outputs[task.number], REFERENCE[task.number])
    done = [attempt.task for attempt in batch.attempts if not attempt.lost]
    assert len(done) == len(set(done))
    return batch


@pytest.fixture(scope="module")
def group():
    with Workers(3, SLOW, patience=5.0) as workers:
        yield workers


@pytest.fixture
def workers(group):
    group.replace_lost()
    return group


def test_twenty_workers_killed_at_random_moments_cost_at_most_their_own_task(group):
    generator, noticed = np.random.default_rng(2024), 0
    for _ in range(KILLS):
        group.replace_lost()
        victim = group[f"worker {generator.integers(1, 4)}"]
        killer = threading.Timer(generator.uniform(0.0, 0.03), victim.kill)
        killer.start()
        batch = complete(group.run(TASKS))
        killer.join()
        assert len(batch.attempts) <= len(TASKS) + 1
        assert {loss.worker for loss in batch.losses} <= {victim.name}
        noticed += len(batch.losses)
        if not batch.losses:  # killed after its last task: the next batch will notice
            assert len(batch.attempts) == len(TASKS)
            complete(group.run(TASKS))
    assert noticed >= KILLS / 4  # the kills really fell into the batches


def test_two_of_three_killed_at_once_leave_the_work_to_the_third(workers):
    killers = [threading.Timer(0.01, workers[name].kill) for name in ("worker 1", "worker 3")]
    for killer in killers:
        killer.start()
    batch = complete(workers.run(TASKS))
    for killer in killers:
        killer.join()
    assert len(batch.attempts) <= len(TASKS) + 2
    assert batch.share["worker 2"] >= len(TASKS) / 3


def test_a_worker_that_never_answers_is_dropped_and_named(workers):
    workers.coordinator.patience = 0.6
    workers["worker 2"].pause()
    try:
        begun = time.perf_counter()
        batch = complete(workers.run(TASKS))
    finally:
        workers.coordinator.patience = 5.0
    (loss,) = batch.losses
    assert loss.worker == "worker 2" and "silent for 0.6 s" in loss.reason
    assert 0.6 <= time.perf_counter() - begun < 3.0
    assert "worker 2" not in workers.names


def test_without_workers_the_error_keeps_what_was_finished(workers):
    threading.Timer(0.02, lambda: [workers[name].kill() for name in workers.names]).start()
    with pytest.raises(NoWorkerLeft) as caught:
        workers.run(TASKS)
    partial = caught.value.batch
    assert 0 < len(partial.outputs) < len(TASKS)
    for worker in ("worker 1", "worker 2", "worker 3"):
        assert worker in str(caught.value)
    assert f"Finished tasks: {', '.join(map(str, sorted(partial.outputs)))}" in str(caught.value)

    workers.replace_lost()
    rest = complete(workers.run(TASKS, finished=partial))
    assert len(rest.attempts) == len(TASKS) - len(partial.outputs)


def test_no_worker_at_all(workers):
    for name in workers.names:
        workers[name].kill()
    for _ in range(2):  # the second batch finds nobody to ask
        with pytest.raises(NoWorkerLeft, match="Finished tasks: none"):
            workers.run(TASKS[:3])


def test_nothing_to_do_is_done_at_once(workers):
    batch = workers.run([])
    assert batch.outputs == {} and batch.attempts == () and batch.losses == ()
    assert workers.run(TASKS[:1], finished={0: REFERENCE[0]}).attempts == ()


def test_one_worker_does_everything_in_order():
    with Workers(1, SLOW) as alone:
        batch = complete(alone.run(TASKS))
        assert [attempt.task for attempt in batch.attempts] == list(range(len(TASKS)))
        alone["worker 1"].kill()
        with pytest.raises(NoWorkerLeft, match="worker 1"):
            alone.run(TASKS)


def test_idle_workers_share_the_work(workers):
    share = workers.run(TASKS).share
    assert sorted(share) == ["worker 1", "worker 2", "worker 3"] and min(share.values()) >= 2


def test_a_task_that_nobody_can_do_ends_the_batch_and_no_worker(workers):
    bad = Task(3, np.zeros((1, 1, 5, 5), np.uint8))
    with pytest.raises(TaskRefused, match=r"refuses task 3: .*needs shape \(1, 1, 28, 28\)") as caught:
        workers.run([*TASKS[:3], bad, *TASKS[4:]])
    assert isinstance(caught.value.batch, Batch) and len(workers.names) == 3
    complete(workers.run(TASKS, finished=caught.value.batch))


def test_a_paused_worker_that_resumes_in_time_is_kept(workers):
    workers["worker 1"].pause()
    threading.Timer(0.3, workers["worker 1"].resume).start()
    batch = complete(workers.run(TASKS))
    assert batch.losses == () and batch.share["worker 1"] >= 1


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Workers(0, SLOW), "0 workers do nothing"),
        (lambda: Workers(2, SLOW, patience=0.0).__enter__(), "patience of 0.0 s"),
        (lambda: Task(-1, IMAGES[0]), "whole number from 0, not -1"),
        (lambda: Task(0, np.zeros(3, complex)), "dtype complex128 cannot be sent"),
        (lambda: Setup("layers", slowdown=0.5), "cannot outrun"),
        (lambda: Workers(1, Setup("cook")).__enter__(), "no program is called 'cook'; the programs are layers, tiles"),
        (lambda: Workers(1, Setup("layers", {"colour": 1})).__enter__(), "does not take the options"),
        (lambda: Workers(1, Setup("layers", {"network": "nobody"})).__enter__(), "nobody"),
    ],
)
def test_bad_input_is_named(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


def test_two_tasks_of_one_number_are_an_error(workers):
    with pytest.raises(ValueError, match="the same number"):
        workers.run([TASKS[0], TASKS[0]])
