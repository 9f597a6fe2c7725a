"""EdgeEye: its life cycle, its lines, its two engines, and everything that goes wrong in one pipeline only."""

import threading
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from edgedl_lib.offloading.integral.edgeeye import applications, engines, network, offloading, study  # noqa: E402
from edgedl_lib.offloading.integral.edgeeye.lines import Lines  # noqa: E402
from edgedl_lib.offloading.integral.edgeeye.pipeline import PipelineError  # noqa: E402
from edgedl_lib.offloading.integral.edgeeye.service import EdgeEye  # noqa: E402

FRAMES, SHOWN = network.camera_frames(0, 60)
PICTURES = [network.resize(network.decode(frame), network.DETECTOR_SIDE) for frame in FRAMES]
PATIENCE = 10.0  # s, only a hanging test waits so long


@pytest.fixture(scope="module")
def model():
    return network.trained_detector(0)


@pytest.fixture
def service(model):
    with EdgeEye({"digits": engines.OptimisedEngine(model)}) as running:
        yield running


class Gate:
    """An engine that waits inside `infer` until it is let go."""

    largest_batch = 1

    def __init__(self):
        self.entered, self.open = threading.Event(), threading.Event()

    def infer(self, pictures):
        self.entered.set()
        assert self.open.wait(PATIENCE)
        return np.zeros((len(pictures), 10))


def until(condition):
    """Wait for other threads."""
    end = time.perf_counter() + PATIENCE
    while not condition():
        assert time.perf_counter() < end, "nothing happened"
        time.sleep(0.002)


# -- lines


def test_a_full_line_drops_its_oldest():
    lines = Lines(3)
    lines.open("a")
    assert [lines.put("a", number) for number in range(5)] == [True, True, True, False, False]
    assert [item for _, item in lines.take(8)] == [2, 3, 4]


def test_lines_are_served_in_turn_and_nothing_is_lost():
    lines = Lines(10)
    for key in "abc":
        lines.open(key)
    for number in range(9):
        lines.put("a", number)
    lines.put("b", 0), lines.put("c", 0)
    taken = [lines.take(2) for _ in range(6)]
    assert sorted(item for part in taken for item in part) == sorted(
        [("a", n) for n in range(9)] + [("b", 0), ("c", 0)]
    )
    assert {key for part in taken[:2] for key, _ in part} == {"a", "b", "c"}


def test_a_sleeping_worker_does_not_look_again_and_again():
    lines = Lines(1)
    lines.open("a")
    worker = threading.Thread(target=lines.take, args=(1,), daemon=True)
    worker.start()
    time.sleep(0.1)
    assert lines.wake_ups == 0
    lines.put("a", 0)
    worker.join(PATIENCE)
    assert lines.wake_ups == 1


def test_a_closed_line_lets_its_worker_go_and_an_unknown_one_takes_nothing():
    lines = Lines(1)
    assert not lines.put("nobody", 1)
    lines.close()
    assert lines.take(1) == []


@pytest.mark.parametrize("length", [0, -1, 1.5])
def test_a_line_has_a_length(length):
    with pytest.raises(ValueError, match="at least one item"):
        Lines(length)


# -- engines


@pytest.mark.parametrize("batch", [1, 3, 8, 64])
def test_engines_agree_whatever_the_batch(model, batch):
    plain, fast = engines.FrameworkEngine(model), engines.OptimisedEngine(model, batch)
    assert engines.largest_difference(plain, fast, PICTURES) <= 1e-4
    assert engines.same_answers(plain, fast, PICTURES) == 100


def test_a_later_batch_does_not_change_an_earlier_answer(model):
    fast = engines.OptimisedEngine(model, 4)
    first = fast.infer(PICTURES[:4])
    kept = first.copy()
    fast.infer(PICTURES[4:8])
    assert np.array_equal(first, kept)


def test_folding_leaves_no_batch_normalisation_and_the_original_alone(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = engines.fold(model)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_the_detector_detects(model):
    assert np.mean(engines.OptimisedEngine(model).infer(PICTURES).argmax(axis=1) == SHOWN) > 0.85


def test_the_optimised_engine_is_faster_on_waiting_frames(model):
    assert study.engine_speed(model, PICTURES, 16, windows=9).speed_up > 1.2


# -- life cycle


def test_every_frame_is_answered_in_order_with_its_own_answer(model, service):
    camera = study.Camera(FRAMES, window=3)
    pipeline = service.create(study.ELEMENTS)
    service.subscribe(pipeline, camera)
    service.connect(pipeline, camera)
    assert camera.done.wait(PATIENCE)
    expected = engines.FrameworkEngine(model).infer(PICTURES).argmax(axis=1)
    assert [each.number for each in camera.detections] == list(range(len(FRAMES)))
    assert [each.label for each in camera.detections] == expected.tolist()
    assert all(each.latency > 0 and each.pipeline == pipeline for each in camera.detections)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_streams_do_not_mix(model, count):
    served = study.run_streams(engines.OptimisedEngine(model), FRAMES, count)
    expected = engines.FrameworkEngine(model).infer(PICTURES).argmax(axis=1).tolist()
    assert all(labels == expected for labels in served.labels)
    assert served.p95_latency > 0 and served.frames_per_second > 0


def test_zero_subscribers_are_served_and_forgotten(service):
    pipeline = service.create(study.ELEMENTS)
    service.connect(pipeline, FRAMES[:3])
    until(lambda: service.counts(pipeline).detected + service.counts(pipeline).dropped == 3)
    assert service.counts(pipeline).delivered == 0 and service.counts(pipeline).errors == []


def test_two_subscribers_hear_the_same(service):
    pipeline, heard = service.create(study.ELEMENTS), ([], [])
    camera = study.Camera(FRAMES[:10], window=1)
    for sink in (heard[0].append, heard[1].append, camera):
        service.subscribe(pipeline, sink)
    service.connect(pipeline, camera)
    assert camera.done.wait(PATIENCE)
    assert heard[0] == heard[1] == camera.detections


def test_a_crashing_sink_stops_nobody_else(model):
    assert study.beside_a_crash(engines.OptimisedEngine(model), FRAMES[:20]) == 100


def test_a_crashing_sink_loses_its_subscription_only(service):
    pipeline = service.create(study.ELEMENTS)
    camera = study.Camera(FRAMES[:10], window=1)
    service.subscribe(pipeline, study.crashing_sink)
    service.subscribe(pipeline, camera)
    service.connect(pipeline, camera)
    assert camera.done.wait(PATIENCE)
    assert len(service.counts(pipeline).errors) == 1 and "the client's fault" in service.counts(pipeline).errors[0]


def test_a_sink_that_hangs_delays_only_its_own_pipeline(service):
    stuck, healthy = service.create(study.ELEMENTS), service.create(study.ELEMENTS)
    release, camera = threading.Event(), study.Camera(FRAMES[:20], window=2)
    service.subscribe(stuck, lambda detection: release.wait(PATIENCE))
    service.subscribe(healthy, camera)
    service.connect(stuck, FRAMES)
    service.connect(healthy, camera)
    assert camera.done.wait(PATIENCE)
    release.set()


def test_release_during_inference_delivers_nothing_more():
    gate, heard = Gate(), []
    with EdgeEye({"digits": gate}) as service:
        pipeline = service.create(study.ELEMENTS)
        service.subscribe(pipeline, heard.append)
        service.connect(pipeline, FRAMES)
        assert gate.entered.wait(PATIENCE)
        counts = service.release(pipeline)
        gate.open.set()
        again = service.create(study.ELEMENTS)  # the worker is alive
        camera = study.Camera(FRAMES[:3], window=1)
        service.subscribe(again, camera)
        service.connect(again, camera)
        assert camera.done.wait(PATIENCE)
    assert heard == [] and counts.delivered == 0


def test_a_sink_may_release_its_own_pipeline(service):
    pipeline, released = service.create(study.ELEMENTS), threading.Event()

    def once(detection):
        service.release(detection.pipeline)
        released.set()

    service.subscribe(pipeline, once)
    service.connect(pipeline, FRAMES[:1])
    assert released.wait(PATIENCE)
    with pytest.raises(PipelineError, match="released"):
        service.counts(pipeline)


def test_a_slow_engine_skips_frames_and_answers_the_newest():
    gate = Gate()
    with EdgeEye({"digits": gate}, line_length=2) as service:
        pipeline, heard = service.create(study.ELEMENTS), []
        service.subscribe(pipeline, lambda detection: heard.append(detection.number))
        service.connect(pipeline, FRAMES[:1])
        assert gate.entered.wait(PATIENCE)
        service.connect(pipeline, FRAMES[:10])  # nine more than the line holds
        until(lambda: service.counts(pipeline).read == 11)
        until(lambda: service.counts(pipeline).dropped == 8)
        gate.open.set()
        until(lambda: len(heard) == 3)
        assert heard == [0, 8, 9]


def test_a_slow_source_costs_no_busy_loop(service):
    def slow():
        for frame in FRAMES[:5]:
            time.sleep(0.05)
            yield frame

    pipeline, heard = service.create(study.ELEMENTS), []
    service.subscribe(pipeline, heard.append)
    service.connect(pipeline, slow())
    until(lambda: len(heard) == 5)
    assert service.wake_ups("digits") <= 10


def test_broken_frames_are_skipped_and_a_broken_camera_ends_its_own_stream(service):
    def breaking():
        yield b"no video"
        yield network.encode(np.zeros((2, 3), np.uint8))
        yield FRAMES[0]
        raise OSError("cable pulled")

    pipeline, heard = service.create(study.ELEMENTS), []
    service.subscribe(pipeline, heard.append)
    service.connect(pipeline, breaking())
    until(lambda: len(heard) == 1 and len(service.counts(pipeline).errors) == 3)
    errors = service.counts(pipeline).errors
    assert "not compressed video" in errors[0] and "not square" in errors[1] and "cable pulled" in errors[2]


def test_pictures_that_the_model_cannot_take_do_not_end_the_worker(service):
    wrong, right = (
        service.create([e for e in study.ELEMENTS if e["element"] != "resize"]),
        service.create(study.ELEMENTS),
    )
    service.connect(wrong, FRAMES[:2])
    until(lambda: any("engine" in error for error in service.counts(wrong).errors))
    camera = study.Camera(FRAMES[:5], window=1)
    service.subscribe(right, camera)
    service.connect(right, camera)
    assert camera.done.wait(PATIENCE)


@pytest.mark.parametrize(
    ("elements", "match"),
    [
        ([{"element": "blur"}], "element 'blur' is unknown: use decode, resize, detect, sink"),
        ([{"element": "detect", "model": "digits"}, {"element": "decode"}], "in this order"),
        ([{"element": "decode"}, {"element": "sink"}], "no pipeline"),
        ([{"element": "decode"}, {"element": "detect", "model": "faces"}, {"element": "sink"}], "model 'faces'"),
        ([], "no pipeline"),
    ],
)
def test_a_wrong_pipeline_is_refused_by_name(service, elements, match):
    with pytest.raises(PipelineError, match=match):
        service.create(elements)


def test_a_released_pipeline_is_gone(service):
    pipeline = service.create(study.ELEMENTS)
    service.release(pipeline)
    for request in (service.release, service.counts, lambda key: service.subscribe(key, print)):
        with pytest.raises(PipelineError, match=f"pipeline {pipeline} does not exist or is released"):
            request(pipeline)


def test_closing_ends_all_threads(model):
    before = threading.active_count()
    with EdgeEye({"digits": engines.OptimisedEngine(model)}) as service:
        for _ in range(3):
            service.connect(service.create(study.ELEMENTS), FRAMES[:5])
        assert threading.active_count() > before
    until(lambda: threading.active_count() == before)


# -- applications and offloading


def test_both_applications_answer_alike(model, service):
    def paced():
        for frame in FRAMES[:20]:
            yield frame
            time.sleep(0.01)

    heard = ([], [])
    applications.with_service(service, paced(), lambda *answer: heard[0].append(answer))
    end = applications.with_framework(model, paced(), lambda *answer: heard[1].append(answer))
    time.sleep(0.5)
    until(lambda: heard[0] and heard[1] and heard[0][-1][0] == heard[1][-1][0] == 19)
    end()
    both = dict(heard[0]).keys() & dict(heard[1]).keys()  # a busy machine may skip a frame on either side
    assert len(both) >= 10 and all(dict(heard[0])[key] == dict(heard[1])[key] for key in both)


def test_lines_of_code_count_neither_blanks_nor_docstrings():
    def example():
        """Nothing.

        Really.
        """

        # why
        return 1

    assert applications.line_count(example) == 2


def test_crossover_is_where_both_take_as_long():
    deployment = offloading.Deployment()
    assert deployment.gain(deployment.crossover()) == pytest.approx(1)
    assert deployment.gain(20e6) > 1 > deployment.gain(1e6)
    assert offloading.Deployment(slow_down=1.0).crossover() == np.inf


@pytest.mark.parametrize("rate", [1e6, 20e6])
def test_one_camera_in_the_simulator_is_the_formula(rate):
    deployment = offloading.Deployment(frame_rate=0.5)
    simulated = offloading.shared_latency(deployment, rate, cameras=1, frames=4, seed=0)
    assert simulated == pytest.approx(deployment.offloaded_seconds(rate))


def test_more_cameras_on_one_wifi_wait_longer():
    p95 = offloading.cameras_served(offloading.Deployment(), 20e6, (1, 5, 9), 40, 0)
    assert np.all(np.diff(p95) > 0)
