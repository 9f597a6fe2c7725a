"""Distillation: limits of the loss, runs side by side against the plain loop, lessons and students."""

import dataclasses

import numpy as np
import pytest
import torch

from edgedl_lib.inference.compression.taught import distillation as d
from edgedl_lib.inference.compression.taught import distillation_study as study
from edgedl_lib.inference.compression.taught import edge_students
from edgedl_lib.inference.compression.taught.lessons import Lesson, Teachers, Training, teach, train_teachers
from edgedl_lib.inference.compression.taught.stacked_mlp import StackedMLP, batch_order, mlp, train_stack
from edgedl_lib.nets.datasets import Split, digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, predict, train


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    whole = digits().flat()
    return dataclasses.replace(whole, train=whole.train.subset(200))


def test_gradient_is_difference_of_softened_answers_times_temperature():
    logits, teacher = torch.randn(2, 5, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(d.soft_cross_entropy(logits, teacher, 3.0).sum(), logits)
    torch.testing.assert_close(gradient, 3 * ((logits / 3).softmax(1) - (teacher / 3).softmax(1)).detach())


def test_high_temperature_is_logit_matching():
    assert study.logit_limit(1000) == pytest.approx(1, abs=1e-3)
    assert abs(study.logit_limit(1) - 1) > 0.05


def test_weight_zero_is_the_hard_label_run_bit_for_bit(data):
    teacher, plain = build(lambda: mlp((64, 20, 10)), 1), build(lambda: mlp((64, 8, 10)), 2)
    taught = d.distil(teacher, plain, data.train, weight=0.0, epochs=2, seed=3)
    train(plain, data.train, epochs=2, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(taught.parameters(), plain.parameters(), strict=True))


def test_uniform_teacher_teaches_nothing(data):
    teacher = mlp((64, 10))
    with torch.no_grad():
        teacher.dense1.weight.zero_()
        teacher.dense1.bias.zero_()
    student = d.distil(teacher, build(lambda: mlp((64, 20, 10)), 0), data.train, weight=1.0, epochs=40, seed=0)
    assert predict(student, data.test.inputs).softmax(1).max() < 0.2


def test_teacher_answers_without_dropout_and_the_student_is_a_copy(data):
    teacher, student = build(lambda: mlp((64, 20, 10), dropout=0.9), 0).train(), mlp((64, 8, 10))
    before = student.dense1.weight.clone()
    first, second = (d.transfer_split(teacher, data.train).targets for _ in range(2))
    assert torch.equal(first, second)
    d.distil(teacher, student, data.train, epochs=1, seed=0)
    assert torch.equal(student.dense1.weight, before)


def test_missing_labels_have_no_hard_part(data):
    logits, teacher = torch.randn(4, 10), torch.randn(4, 10)
    unknown = torch.full((4,), d.NO_LABEL)
    assert torch.equal(d.distillation_loss(logits, teacher, unknown, 1.0, 0.0), torch.zeros(4))


@pytest.mark.parametrize(("temperature", "weight"), [(0, 0.5), (-1, 0.5), (float("inf"), 0.5), (4, 1.1), (4, -0.1)])
def test_bad_objective(temperature, weight):
    with pytest.raises(ValueError, match="temperature|weight"):
        d.distillation_objective(temperature, weight)


def test_one_slice_equals_the_plain_loop(data):
    labels = data.train.targets

    def objective(stack, inputs, rows):
        return torch.nn.functional.cross_entropy(stack(inputs).movedim(-1, 1), labels[rows], reduction="none")

    seeds, steps = (4, 5), 2 * -(-200 // 64)
    stack = StackedMLP((64, 12, 10), seeds)
    order = batch_order([torch.arange(200)] * 2, seeds, steps, 64)
    train_stack(stack, data.train.inputs, order, objective)
    for run, seed in enumerate(seeds):
        plain = build(lambda: mlp((64, 12, 10)), seed)
        train(plain, data.train, epochs=2, seed=seed)
        torch.testing.assert_close(stack.network(run).dense1.weight, plain.dense1.weight, atol=1e-5, rtol=1e-4)


def test_lesson_in_the_stack_equals_distil(data):
    teacher = build(lambda: mlp((64, 20, 10)), 0)
    logits = predict(teacher, data.train.inputs)
    teachers = Teachers((7,), logits.unsqueeze(0), torch.ones(1, 200, 20), (0.0,), 0)
    lesson = Lesson("soft", soft=0.7, temperature=4)
    taught = teach(data, teachers, [Lesson("hard"), lesson], (64, 8, 10), Training(8, 64, 1e-3))
    alone = build(lambda: mlp((64, 8, 10)), 7)
    plain = d.distil(teacher, alone, data.train, temperature=4, weight=0.7, epochs=2, seed=7)
    torch.testing.assert_close(taught.test_logits[1, 0], predict(plain, data.test.inputs), atol=1e-4, rtol=1e-3)


def test_lessons_start_equal_and_equal_lessons_end_equal(data):
    teachers = train_teachers(data, (0, 1), (64, 12, 12, 10), Training(20), dropout=0.0)
    taught = teach(data, teachers, [Lesson("a"), Lesson("b"), Lesson("c", hint=1.0)], (64, 8, 10), Training(20))
    assert torch.equal(taught.test_logits[0], taught.test_logits[1])
    assert not torch.allclose(taught.test_logits[0], taught.test_logits[2])
    with pytest.raises(KeyError, match="no lesson 'd'"):
        taught.row("d")


def test_short_last_batch_stays_short():
    order = batch_order([torch.arange(5), torch.arange(3)], (0, 1), 4, 2)
    assert order.weights.sum(dim=2).allclose(torch.ones(4, 2))
    assert order.weights[2, 0].tolist() == [1, 0]


def test_bias_correction_finds_the_offset_and_leaves_the_rest():
    targets = torch.arange(10).repeat(5)
    logits = 5.0 * torch.nn.functional.one_hot(targets, 10).float().unsqueeze(0)
    hidden = logits.clone()
    hidden[..., 3] -= 6
    corrected = study.correct_bias(hidden, targets, hidden, (3,), study.BIASES)
    assert (corrected.argmax(-1) == targets).all()
    assert torch.equal(study.correct_bias(logits, targets, logits, (3,), study.BIASES), logits)


def test_first_reach():
    curve = np.array([[9.0, 9.0], [5.0, 8.0], [4.0, 7.0]])
    assert edge_students._first_reach(curve, np.array([10, 20, 30]), np.array([5.0, 1.0])).tolist() == [20, 30]


def test_student_exports_to_a_layer_graph():
    assert layer_graph(mlp((64, 8, 10)), (64,)).parameter_count == 64 * 8 + 8 + 8 * 10 + 10


def test_bad_network_and_inputs(data):
    with pytest.raises(ValueError, match="describe no network"):
        mlp((64,))
    broken = Split(data.train.inputs * float("nan"), data.train.targets)
    with pytest.raises(ValueError, match="NaN"):
        d.distil(mlp((64, 10)), mlp((64, 10)), broken, epochs=1, seed=0)
