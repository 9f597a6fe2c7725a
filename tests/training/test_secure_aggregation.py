"""Secure Aggregation: exact sums, refusals, what the server sees, and what wrong variants give away."""

import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.training.security.secure_aggregation import (
    BadMessage,
    Client,
    Parameters,
    ProtocolError,
    Server,
    TooFewClients,
    consistency,
    cost,
    curious,
    keys,
    masks,
    run,
    shamir,
    study,
    wire,
)
from edgedl_lib.training.security.secure_aggregation.keys import KeyPair, seeded_entropy
from edgedl_lib.training.security.secure_aggregation.quantise import Quantiser

SMALL = Parameters(clients=6, threshold=4, length=50)


def primality(number):
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        power = pow(base, odd, number)
        seen = [power] + [power := power * power % number for _ in range(twos - 1)]
        if seen[0] != 1 and number - 1 not in seen:
            return False
    return True


def test_the_field_is_a_field_and_larger_than_a_key():
    assert primality(shamir.PRIME) and not primality(shamir.PRIME - 2)
    assert shamir.PRIME > 2**256 and shamir.PRIME < 2 ** (8 * shamir.SHARE_SIZE)


@given(secret=st.integers(0, 2**256 - 1), threshold=st.integers(1, 6), more=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_any_threshold_shares_rebuild_a_secret(secret, threshold, more, seed):
    generator = np.random.default_rng(seed)
    places = generator.permutation(50)[: threshold + more] + 1
    shares = shamir.share(secret, places.tolist(), threshold, seeded_entropy(seed))
    chosen = generator.permutation(len(places))[:threshold]
    weights = shamir.weights(places[chosen].tolist())
    assert shamir.combine([shares[index] for index in chosen], weights) == secret


def test_fewer_shares_agree_with_every_secret():
    shares = shamir.share(2**200 + 5, [1, 2, 3], 3, seeded_entropy(0))
    for candidate in (0, 1, 2**255, shamir.PRIME - 1):  # through two shares and any secret goes one polynomial
        at_zero, first, second = shamir.weights([1, 2, 3])
        third = (candidate - at_zero * shares[0] - first * shares[1]) * pow(second, -1, shamir.PRIME) % shamir.PRIME
        assert shamir.combine([shares[0], shares[1], third], shamir.weights([1, 2, 3])) == candidate


def test_two_of_three_shares_leave_all_secrets_equally_likely():
    known = {1: 4, 3: 9}
    counts = curious.possible_secrets(known, threshold=3, prime=13)
    assert counts.tolist() == [1] * 13


@pytest.mark.parametrize("places", [[0, 1], [1, 1], [5, 5 + shamir.PRIME]])
def test_places_that_would_give_the_secret_away_are_refused(places):
    with pytest.raises(ValueError, match="places"):
        shamir.share(1, places, 2, seeded_entropy(0))
    with pytest.raises(ValueError, match="field"):
        shamir.share(shamir.PRIME, [1, 2], 2, seeded_entropy(0))


@given(bits=st.integers(1, 64), count=st.integers(1, 40), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_packed_entries_come_back_and_have_the_exact_size(bits, count, seed):
    dtype = np.dtype(np.uint32 if bits <= 32 else np.uint64)
    drawn = np.random.default_rng(seed).integers(0, 2**bits - 1, count, dtype=np.uint64, endpoint=True).astype(dtype)
    data = wire.pack_entries(drawn, bits)
    assert len(data) == -(-count * bits // 8) == wire.entries_size(count, bits)
    assert np.array_equal(wire.unpack_entries(data, count, bits, dtype), drawn)


@given(members=st.sets(st.integers(0, 20)))
def test_sets_of_clients_come_back(members):
    assert wire.unpack_clients(wire.pack_clients(members, 21) + b"rest", 21) == (tuple(sorted(members)), b"rest")


@pytest.mark.parametrize("users", [2, 3, 5, 20])
@pytest.mark.parametrize("stage", study.STOPS)
@pytest.mark.parametrize("bits", [1, 16, 40])
def test_sums_are_exact_whoever_falls_silent(users, stage, bits):
    parameters = Parameters(users, max(1, users // 2), length=37, input_bits=bits)
    for count in range(users - parameters.threshold + 1):
        assert study.sum_is_exact(parameters, study.silent(parameters, count, stage, count), count)


def test_sums_are_exact_with_drop_outs_at_all_stages_of_one_run():
    parameters = Parameters(20, 12, 100)
    missing = {0: "advertise", 3: "share", 4: "share", 7: "mask", 9: "mask", 11: "unmask", 12: "unmask", 19: "mask"}
    assert study.sum_is_exact(parameters, missing, seed=1)


def test_the_largest_inputs_of_all_clients_do_not_wrap():
    for clients, bits in ((2, 16), (16, 28), (32, 59)):
        parameters = Parameters(clients, clients, 3, bits)
        values = np.full((clients, 3), 2**bits - 1)
        outcome = run(parameters, values, entropy=seeded_entropy(0))
        assert outcome.total.tolist() == [clients * (2**bits - 1)] * 3


def test_a_hundred_clients_with_thirty_silent_are_quick():
    parameters = Parameters(100, 67, 10_000)
    start = time.perf_counter()
    exact = study.sum_is_exact(parameters, study.silent(parameters, 30, "mask", 0), 0)
    assert exact and time.perf_counter() - start < 20


@pytest.mark.parametrize("stage", study.STOPS)
def test_below_the_threshold_nothing_is_computed(stage):
    missing = study.silent(SMALL, 3, stage, 0)
    with pytest.raises(TooFewClients, match="3 clients"):
        run(SMALL, study.inputs(SMALL, 0), missing, seeded_entropy(0))
    study.sum_is_exact(SMALL, dict(list(missing.items())[:2]), 0)


def test_clients_refuse_to_answer_for_too_few():
    clients = [Client(number, values, SMALL) for number, values in enumerate(study.inputs(SMALL, 0))]
    server = Server(SMALL)
    directory = server.collect_keys({client.number: client.advertise() for client in clients})
    inboxes = server.collect_shares({client.number: client.share(directory) for client in clients})
    for client in clients:
        client.mask(inboxes[client.number])
    with pytest.raises(TooFewClients, match="client 0: 3 clients sent a vector"):
        clients[0].unmask(wire.pack_clients([0, 1, 2], 6))


def test_stages_run_once_and_in_order():
    client = Client(0, study.inputs(SMALL, 0)[0], SMALL)
    with pytest.raises(ProtocolError, match="asked to mask, but advertise is next"):
        client.mask(b"")
    client.advertise()
    with pytest.raises(ProtocolError, match="asked to advertise"):
        client.advertise()


def test_no_client_ever_gives_both_shares_of_another():
    assert study.second_requests_answered(SMALL, 0) == 0
    assert study.second_requests_answered(SMALL, 0, curious.AnsweringClient) == 1


@pytest.mark.parametrize("stage, size", [("advertise", 64), ("share", 82 * 5), ("mask", 119), ("unmask", 33 * 6)])
def test_a_message_of_the_wrong_size_costs_its_sender_the_place_in_the_sum(stage, size):
    class Careless(Client):
        def __getattribute__(self, name):
            if name == stage and self.number == 2:
                return lambda *message: object.__getattribute__(self, stage)(*message)[:-1]
            return object.__getattribute__(self, name)

    values = study.inputs(SMALL, 0)
    outcome = run(SMALL, values, make_client=Careless)
    (fault,) = outcome.server.rejected
    assert fault.client == 2 and f"{size - 1} bytes instead of {size}" in str(fault)
    kept = [0, 1, 3, 4, 5] if stage != "unmask" else range(6)
    assert np.array_equal(outcome.total, values[list(kept)].sum(axis=0))


def test_a_message_from_outside_the_run_is_put_aside():
    server = Server(Parameters(3, 2, 5))
    server.collect_keys({0: bytes(64), 2: bytes(64), 7: bytes(64)})
    assert [fault.client for fault in server.rejected] == [7]


def test_shares_changed_on_the_way_are_noticed():
    class Meddling(Server):
        def collect_shares(self, messages):
            inboxes = super().collect_shares(messages)
            return {client: box[:-1] + bytes([box[-1] ^ 1]) for client, box in inboxes.items()}

    with pytest.raises(BadMessage, match="changed on the way"):
        run(SMALL, study.inputs(SMALL, 0), make_server=Meddling)


def test_shares_that_give_another_key_are_noticed():
    class Lying(Client):
        def unmask(self, survivors):
            return bytes(len(super().unmask(survivors)))

    with pytest.raises(ProtocolError, match="client"):
        run(SMALL, study.inputs(SMALL, 0), {1: "mask"}, make_client=Lying)


def test_a_directory_that_names_one_key_twice_is_refused():
    client = Client(0, study.inputs(SMALL, 0)[0], SMALL)
    entry = client.advertise()
    with pytest.raises(ProtocolError, match="same public key twice"):
        client.share(wire.pack_clients(range(6), 6) + entry * 6)


def test_an_inbox_with_a_box_missing_is_refused():
    clients = [Client(number, values, SMALL) for number, values in enumerate(study.inputs(SMALL, 0))]
    server = Server(SMALL)
    directory = server.collect_keys({client.number: client.advertise() for client in clients})
    inboxes = server.collect_shares({client.number: client.share(directory) for client in clients})
    with pytest.raises(ProtocolError, match="inbox"):
        clients[0].mask(inboxes[0][:-82])


def test_agreements_are_the_same_at_both_ends_and_different_for_each_purpose():
    first, second = KeyPair.generate(seeded_entropy(0)), KeyPair.generate(seeded_entropy(1))
    purpose = keys.mask_purpose(3, 8)
    assert purpose == keys.mask_purpose(8, 3)
    assert first.agree(second.public, purpose) == second.agree(first.public, purpose)
    assert keys.shares_purpose(3, 8) != keys.shares_purpose(8, 3)
    assert first.agree(second.public, purpose) != first.agree(second.public, keys.mask_purpose(3, 9))


def test_only_the_receiver_opens_a_box():
    sender, receiver, other = (KeyPair.generate(seeded_entropy(seed)) for seed in range(3))
    box = keys.encrypt(sender, receiver.public, 1, 2, b"shares")
    assert keys.decrypt(receiver, sender.public, 1, 2, box) == b"shares"
    for pair, numbers in ((other, (1, 2)), (receiver, (2, 1)), (receiver, (1, 3))):
        with pytest.raises(BadMessage):
            keys.decrypt(pair, sender.public, *numbers, box)


def test_masks_are_uniform_and_cancel_in_pairs():
    parameters = Parameters(20, 14, 50_000)
    drawn = masks.mask(b"0123456789abcdef" * 2, parameters)
    assert drawn.max() < 2**parameters.modulus_bits and curious.uniformity(drawn, parameters.modulus_bits) > 0.001
    total = masks.signed(drawn, 3, 1) + masks.signed(drawn, 1, 3)
    assert not total.any()


def test_what_the_server_sees_of_a_client_is_noise_and_never_the_same():
    parameters = Parameters(20, 14, 20_000)
    values = np.random.default_rng(0).integers(0, 50, (20, 20_000))  # small and repetitive: nothing like noise
    one, two = (run(parameters, values, entropy=seeded_entropy(seed)) for seed in (0, 1))
    bits = parameters.modulus_bits
    assert curious.uniformity(values[0], bits) < 1e-9 < 0.001 < curious.uniformity(one.masked_vector(0), bits)
    assert np.mean(one.masked_vector(0) != two.masked_vector(0)) > 0.99
    correlation = np.corrcoef(one.masked_vector(0).astype(float), values[0])[0, 1]
    assert abs(correlation) < 4 / np.sqrt(20_000)


def test_no_secret_and_no_input_stands_in_the_transcript():
    values = study.inputs(SMALL, 0)
    outcome = run(SMALL, values, {1: "mask"})
    seen = b"".join(message.payload for message in outcome.transcript if message.stage != "unmask")
    for client in outcome.clients:
        packed = wire.pack_entries(client.values, SMALL.modulus_bits)
        assert packed not in seen and client._mask_pair.secret not in seen and client._box_pair.secret not in seen
    rebuilt = outcome.server.secrets
    assert rebuilt[1] == outcome.clients[1]._mask_pair.secret and rebuilt[0] == outcome.clients[0]._seed


def test_without_self_masks_a_late_vector_lies_open():
    variant = {"make_client": curious.PairwiseOnlyClient, "make_server": curious.PairwiseOnlyServer}
    assert study.late_entries_read(SMALL, 0, **variant) == 100
    assert study.late_entries_read(SMALL, 0) == 0
    outcome = run(SMALL, study.inputs(SMALL, 0), {1: "mask"}, **variant)
    assert np.array_equal(outcome.total, study.inputs(SMALL, 0)[[0, 2, 3, 4, 5]].sum(axis=0))


def two_stories(clients):
    """A lying server tells half of the clients that client 0 sent a vector, and the others that it fell silent."""
    everybody, without = (wire.pack_clients(range(start, 7), 7) for start in (0, 1))
    return {client.number: everybody if client.number < 4 else without for client in clients}


def test_a_low_threshold_without_signatures_lets_a_lying_server_read_a_vector():
    parameters = Parameters(7, 3, 20)
    values = study.inputs(parameters, 0)
    clients = [Client(number, row, parameters) for number, row in enumerate(values)]
    server = Server(parameters)
    directory = server.collect_keys({client.number: client.advertise() for client in clients})
    inboxes = server.collect_shares({client.number: client.share(directory) for client in clients})
    vectors = {client.number: client.mask(inboxes[client.number]) for client in clients}
    server.collect_vectors(vectors)
    stories = two_stories(clients)
    answers = {client.number: client.unmask(stories[client.number]) for client in clients}
    seed = server._rebuild({number: answers[number] for number in (1, 2, 3)})[0]
    pair = KeyPair.from_secret(server._rebuild({number: answers[number] for number in (4, 5, 6)})[0])
    opened = server.read_vector(vectors[0]) - masks.mask(seed, parameters)
    for other in range(1, 7):
        shared = pair.agree(server.mask_keys[other], keys.mask_purpose(0, other))
        opened = opened - masks.signed(masks.mask(shared, parameters), 0, other)
    assert np.array_equal(parameters.reduce(opened), values[0])


def test_signatures_stop_a_server_that_tells_two_stories():
    parameters = Parameters(7, 5, 20)
    clients = consistency.signing_clients(parameters, study.inputs(parameters, 0))
    server = consistency.SigningServer(parameters)
    directory = server.collect_keys({client.number: client.advertise() for client in clients})
    inboxes = server.collect_shares({client.number: client.share(directory) for client in clients})
    server.collect_vectors({client.number: client.mask(inboxes[client.number]) for client in clients})
    stories = two_stories(clients)
    signatures = server.collect_signatures({client.number: client.sign(stories[client.number]) for client in clients})
    for client in clients:
        with pytest.raises(BadMessage, match="does not fit what client"):
            client.unmask(signatures)


def test_a_server_cannot_put_its_own_keys_into_the_directory():
    parameters = Parameters(3, 2, 5)
    clients = consistency.signing_clients(parameters, study.inputs(parameters, 0))
    messages = [client.advertise() for client in clients]
    own = KeyPair.generate(seeded_entropy(5)).public + KeyPair.generate(seeded_entropy(6)).public
    forged = own + Ed25519PrivateKey.generate().sign(own)
    with pytest.raises(BadMessage, match="client 2"):
        clients[0].share(wire.pack_clients(range(3), 3) + messages[0] + messages[1] + forged)


@pytest.mark.parametrize("stage", consistency.SigningClient.order[:-1])
def test_the_longer_protocol_gives_the_same_sums(stage):
    parameters = Parameters(7, 5, 20)
    values = study.inputs(parameters, 0)
    outcome = consistency.run_signed(parameters, values, {3: stage})
    kept = [client for client in range(7) if client != 3 or stage in ("sign", "unmask")]
    assert np.array_equal(outcome.total, values[kept].sum(axis=0))
    with pytest.raises(TooFewClients):
        consistency.run_signed(parameters, values, dict.fromkeys((1, 2, 3), stage))


def test_bytes_are_exactly_those_of_the_closed_form_and_above_the_papers():
    for users in (3, 8, 9, 20):
        parameters = Parameters(users, 2, 100)
        counted = study.counted_bytes([users], 100, 0)[0]
        assert counted == sum(cost.client_bytes(parameters).values()) > cost.formula_bits(users, 100) / 8


def test_expansions_of_the_abstract():
    assert f"{cost.expansion(2**10, 2**20):.4f} {cost.expansion(2**14, 2**24):.4f}" == "1.7343 1.9844"
    assert f"{cost.expansion(2**14, 2**20):.4f} {cost.expansion(2**12, 2**20):.4f}" == "3.6249 2.1874"
    assert cost.users_of_expansion(1.73, 2**20) == [2**10]


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_work_is_what_the_counts_say(count):
    parameters = Parameters(20, 13, 10)
    work = study.work(parameters, count, 0)
    assert (work.server, work.client) == (cost.server_masks(20, count), cost.client_masks(20))


def test_wrong_inputs_are_refused():
    for values, match in (
        (np.zeros(4), "whole numbers"),
        (np.full(5, 2**16), "do not fit"),
        (np.full(5, -1), "do not fit"),
        (np.zeros(6, int), "expected 5"),
    ):
        with pytest.raises(ValueError, match=match):
            Client(0, values, Parameters(3, 2, 5))
    for arguments, match in (((3, 0, 5), "threshold"), ((3, 4, 5), "threshold"), ((3, 2, 5, 63), "64")):
        with pytest.raises(ValueError, match=match):
            Parameters(*arguments)
    with pytest.raises(ValueError, match="2 inputs for 3"):
        run(Parameters(3, 2, 1), [np.array([1]), np.array([2])])
    with pytest.raises(ValueError, match="no stage"):
        run(Parameters(1, 1, 1), [np.array([1])], {0: "sleep"})


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=20), st.integers(2, 30))
def test_quantised_sums_are_as_near_as_their_steps(values, bits):
    quantiser = Quantiser(8.0, bits)
    encoded = quantiser.encode(np.array(values))
    assert encoded.min() >= 0 and encoded.max() < 2**bits
    assert abs(quantiser.decode_sum(encoded.sum(), len(values)) - sum(values)) <= len(values) * quantiser.step * 0.5001


@pytest.mark.parametrize("value", [8.01, -9.0, np.nan, np.inf])
def test_what_does_not_fit_is_refused_and_named(value):
    with pytest.raises(OverflowError, match="entry 1 is"):
        Quantiser(8.0, 16).encode(np.array([0.0, value]))
