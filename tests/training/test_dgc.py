"""Deep Gradient Compression: nothing is lost, momentum is right, ties do not send everything, bytes come back."""

import numpy as np
import pytest
import torch

from edgedl_lib.training.codecs.bits import CodecError
from edgedl_lib.training.communication.dgc import compression, network, payload, study
from edgedl_lib.training.communication.dgc.compression import ALL, DROPPING, Ingredients, Memory, compress
from edgedl_lib.training.communication.dgc.training import Job, train
from edgedl_lib.training.data import digits_pool


def test_gradients_equal_autograd():
    weights = network.initial_weights((5, 7, 3), 0)
    inputs, targets = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([[0, 1, 2, 0]] * 2)
    found = network.gradients(weights, inputs, targets)
    leaves = [each.clone().requires_grad_() for each in weights]
    for node in range(2):
        loss = torch.nn.functional.cross_entropy(network.logits(leaves, inputs[node]), targets[node])
        for ours, theirs in zip(found, torch.autograd.grad(loss, leaves), strict=True):
            torch.testing.assert_close(ours[node], theirs)


def test_sent_and_residual_are_all_that_was_added():
    memory, added, sent = Memory.empty(1, 50), torch.zeros(50), torch.zeros(50)
    generator = torch.Generator().manual_seed(1)
    for _ in range(30):
        gradient = torch.randn(1, 50, generator=generator)
        added += gradient[0]
        sent += compress(gradient, memory, 0.1, DROPPING).total
    torch.testing.assert_close(sent + memory.residual[0], added)


@pytest.mark.parametrize("interval", [1, 2, 7, 20])
def test_sum_of_a_constant_gradient(interval):
    momentum = 0.9
    expected = sum((1 - momentum**j) / (1 - momentum) for j in range(1, interval + 1))
    assert study.sent_after(interval, ALL) == pytest.approx(expected, rel=1e-5)
    assert study.sent_after(interval, DROPPING) == pytest.approx(interval)


def test_nesterov_looks_one_step_ahead():
    memory, gradient = Memory.empty(1, 1), torch.ones(1, 1)
    use = Ingredients(masking=False)
    sent = [float(compress(gradient, memory, 1.0, use, 0.5, nesterov=True).total) for _ in range(2)]
    assert sent == [1.5, 1.75]


def test_density_one_is_momentum_only_without_masking():
    gradient = torch.ones(1, 3)
    kept, cleared = Memory.empty(1, 3), Memory.empty(1, 3)
    for _ in range(2):
        last = compress(gradient, kept, 1.0, Ingredients(masking=False)).total
        plain = compress(gradient, cleared, 1.0, ALL).total
    assert last.tolist() == pytest.approx([1.9] * 3)
    assert plain.tolist() == [1.0] * 3  # plain SGD


@pytest.mark.parametrize("entries", [1, 10, 999])
def test_small_tensors_send_one_entry_and_ties_do_not_send_all(entries):
    message = compress(torch.ones(2, entries), Memory.empty(2, entries), 0.001)
    assert message.positions.shape == (2, 1)


def test_bad_density_is_refused():
    with pytest.raises(CodecError, match="fraction"):
        compress(torch.ones(1, 3), Memory.empty(1, 3), 0.0)


def test_clipping_shares_the_threshold_among_nodes():
    gradients = [torch.full((4, 3), 5.0), torch.zeros(4, 2)]
    compression.clip_locally(gradients, 2.0)
    norms = gradients[0].norm(dim=1)
    torch.testing.assert_close(norms, torch.full((4,), 1.0))
    small = [torch.full((4, 1), 0.01)]
    compression.clip_locally(small, 2.0)
    assert small[0].unique().item() == pytest.approx(0.01)


@pytest.mark.parametrize("encoding", payload.ENCODINGS)
def test_what_is_encoded_comes_back(encoding):
    generator = torch.Generator().manual_seed(2)
    message = compress(torch.randn(2, 3000, generator=generator), Memory.empty(2, 3000), 0.01)
    expected = torch.zeros(3000).scatter_(0, message.positions[1], message.values[1]).numpy()
    decoded = payload.decode(payload.encode(message, 1, encoding), 30, 3000, encoding)
    np.testing.assert_allclose(decoded, expected, rtol=1e-3 if "16-bit v" in encoding else 0)


def test_union_of_nodes_is_what_comes_back():
    message = compression.Message(torch.tensor([[0, 1], [1, 2]]), torch.ones(2, 2), 5)
    assert message.union == 3
    assert message.total.tolist() == [1, 2, 1, 0, 0]


def test_dense_nodes_equal_one_node_with_all_samples():
    """The gradients of four nodes, each divided by four, add up to the gradient of one batch."""
    weights = network.initial_weights((6, 3), 0)
    inputs, targets = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(3)), torch.zeros(4, 5).long()
    parts = [each.sum(0) / 4 for each in network.gradients(weights, inputs, targets)]
    whole = network.gradients(weights, inputs.reshape(1, 20, 6), targets.reshape(1, 20))
    for ours, theirs in zip(parts, whole, strict=True):
        torch.testing.assert_close(ours, theirs[0])


def test_same_seed_same_weights():
    job = Job(*digits_pool(0), iterations=30)
    first, second = train(job, 3), train(job, 3)
    assert all(torch.equal(*pair) for pair in zip(first.weights, second.weights, strict=True))
