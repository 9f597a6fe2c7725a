"""Wrong versions of Secure Aggregation: narrow sums, masks that do not cancel, clients that tell all, no masks."""

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.security.secure_aggregation import (
    Client,
    Parameters,
    ProtocolError,
    Server,
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
from edgedl_lib.training.security.secure_aggregation.quantise import Quantiser

TWENTY = Parameters(clients=20, threshold=13, length=100)


def expansion_at_input_width(users, entries):
    """Keys and shares counted, masked entries at the 16 bits of the input."""
    return (cost.formula_bits(users, entries) - entries * (cost.Parameters(users, 1, 1).modulus_bits - 16)) / (
        entries * 16
    )


@sabotage(
    "secagg.expansion_low",
    "secagg.expansion_high",
    "secagg.expansion_2e10u_2e20d",
    "secagg.expansion_2e14u_2e24d",
    "secagg.expansion_2e14u_2e20d",
)
def sums_as_wide_as_inputs():
    """A sum of many 16-bit numbers needs more bits than one of them; forgotten."""
    low, high = expansion_at_input_width(2**10, 2**20), expansion_at_input_width(2**14, 2**24)
    return {
        "secagg.expansion_low": low,
        "secagg.expansion_high": high,
        "secagg.expansion_2e10u_2e20d": low,
        "secagg.expansion_2e14u_2e24d": high,
        "secagg.expansion_2e14u_2e20d": expansion_at_input_width(2**14, 2**20),
    }


@sabotage("secagg.users_low", "secagg.users_high")
def the_other_vector_length():
    """The survey's line read as one range: both expansions looked for at the other's number of entries."""
    powers = np.array([2**exponent for exponent in range(1, 20)])
    nearest = [
        powers[np.argmin([abs(cost.expansion(int(users), entries) - reported) for users in powers])]
        for reported, entries in ((1.73, 2**24), (1.98, 2**20))
    ]
    return dict(zip(("secagg.users_low", "secagg.users_high"), map(float, nearest), strict=True))


@sabotage("secagg.printed_clients_expansion")
def keys_forgotten():
    """Only the masked entries counted: then even twenty billion users cost little."""
    return (20_000_000_000 * (2**16 - 1)).bit_length() / 16


@sabotage("secagg.dropout_tolerance", "secagg.third_fail")
def half_is_enough():
    """A threshold of half the users, which does not stand against a server that lies."""
    half = Parameters(clients=12, threshold=6, length=50)
    return {
        "secagg.dropout_tolerance": 100 * study.most_silent(half, "mask", 0) / 12,
        "secagg.third_fail": 100 * study.most_silent(half, None, 0) / 12,
    }


@sabotage("secagg.rounds")
def the_longer_protocol():
    """The variant with signatures has one stage more."""
    parameters = Parameters(5, 4, 3)
    outcome = consistency.run_signed(parameters, study.inputs(parameters, 0), entropy=keys.seeded_entropy(0))
    return len({message.stage for message in outcome.transcript if message.upward})


@sabotage("secagg.client_work_users")
def masks_by_pairs():
    """All pairs' masks charged to one client."""
    return (1000 * 999 / 2) / (500 * 499 / 2)


@sabotage("secagg.server_work_drop30_over_drop10")
def one_mask_a_drop_out():
    """One mask for each silent user instead of one for each pair of silent and survivor."""
    return 150 / 50


@sabotage("secagg.wan_traffic_500", "secagg.wan_traffic_1000")
def sixteen_bit_entries():
    """Entries of 16 bits and the room that their sum needs, instead of the 62 bits of that experiment."""
    sizes = [sum(cost.client_bytes(Parameters(users, users, 100_000)).values()) / 1e6 for users in (500, 1000)]
    return {"secagg.wan_traffic_500": sizes[0], "secagg.wan_traffic_1000": sizes[1]}


class AlwaysAdding(Client):
    """Adds every pairwise mask, whoever has the higher number."""

    def _pair_mask(self, other):
        return masks.signed(super()._pair_mask(other), self.number, other)


def adding(*arguments, **settings):
    return run(*arguments, make_client=AlwaysAdding, **settings)


@sabotage("secagg.sum_exact")
def masks_that_add_up():
    """Both ends of a pair add: nothing cancels."""
    return study.exact_share((20,), (0, 0.1), 0, 50, run=adding)


class Interpolating(Server):
    """Interpolates with whatever shares it has, and finds the missing ones dispensable."""

    def _accept(self, messages, what, size, among=None):
        return {client: messages[client] for client in sorted(messages)}

    def _as_key(self, client, secret):
        return (secret % 2**256).to_bytes(32, "big")

    def _remove_pair_masks(self, silent, secret):
        pass


class Obedient(Client):
    """Asks no questions about how many are left."""

    def _require(self, members, what):
        pass


@sabotage("secagg.below_threshold_refused")
def computes_with_fewer():
    """Neither server nor clients count who is there."""
    values, refused = study.inputs(TWENTY, 0), []
    for stage in study.STOPS:
        missing = study.silent(TWENTY, 8, stage, 0)
        try:
            run(TWENTY, values, missing, keys.seeded_entropy(0), make_server=Interpolating, make_client=Obedient)
            refused.append(False)
        except ProtocolError:
            refused.append(True)
    return float(np.mean(refused))


@sabotage("secagg.never_both")
def clients_without_memory():
    """Every request is answered, the second one with the other share."""
    return study.second_requests_answered(TWENTY, 0, curious.AnsweringClient)


class Unmasked(curious.PairwiseOnlyClient):
    """Sends its vector as it is."""

    def _pair_mask(self, other):
        return np.zeros_like(self.values)


@sabotage("secagg.uniform_masked", "secagg.runs_differ")
def no_masks():
    """The vector itself, in the right format."""
    parameters = Parameters(clients=3, threshold=2, length=5000)
    values = np.random.default_rng(0).integers(0, 50, (3, 5000))
    variant = {"make_client": Unmasked, "make_server": curious.PairwiseOnlyServer}
    one, two = (run(parameters, values, entropy=keys.seeded_entropy(s), **variant).masked_vector(0) for s in (0, 1))
    return {
        "secagg.uniform_masked": curious.uniformity(one, parameters.modulus_bits),
        "secagg.runs_differ": 100 * np.mean(one != two),
    }


@sabotage("secagg.blind_shares")
def one_degree_too_few():
    """A polynomial of degree t-2: two shares of three decide."""

    def line(secret, places, threshold, entropy, prime):
        return shamir.share(secret, places, threshold - 1, entropy, prime)

    counts = curious.possible_secrets({1: 4, 3: 9}, threshold=3, prime=31, make_shares=line)
    return counts.min() / counts.max()


@sabotage("secagg.bytes_per_user", "secagg.bytes_closed_form")
def hexadecimal_messages():
    """Keys and shares written as text."""
    users = np.array([10, 20, 30, 40])
    parts = [cost.client_bytes(Parameters(int(n), 2, 200)) for n in users]
    text = np.array([2 * sum(part.values()) - part["masked vector"] for part in parts])
    return {
        "secagg.bytes_per_user": study.bytes_per_user(users, text),
        "secagg.bytes_closed_form": float(np.max(text - [sum(part.values()) for part in parts])),
    }


class Forgetful(Server):
    """Removes one mask for each silent client, from the sum of the others."""

    def _remove_pair_masks(self, silent, secret):
        self._total -= self._mask(secret)


@sabotage("secagg.server_work")
def one_mask_for_each_silent():
    """Work in proportion to the drop-outs; the sum is wrong, too."""
    made = []
    for count in (0, 6):
        missing = study.silent(TWENTY, count, "mask", 0)
        outcome = run(TWENTY, study.inputs(TWENTY, 0), missing, keys.seeded_entropy(0), make_server=Forgetful)
        made.append(outcome.server.masks_made)
    return made[1] / made[0]


@sabotage("secagg.client_work")
def masks_again_after_each_drop_out():
    """A client that begins again with those who are left, until nobody is missing."""
    return sum(20 - silent for silent in range(7)) / 20


@sabotage("secagg.late_without_self_mask")
def wrong_key_for_the_late_vector():
    """The negative test with self-masks left on: it finds no leak where there is none."""
    return study.late_entries_read(TWENTY, 0)


@sabotage("secagg.late_with_self_mask")
def pairwise_masks_are_enough():
    """The protocol without self-masks."""
    variant = {"make_client": curious.PairwiseOnlyClient, "make_server": curious.PairwiseOnlyServer}
    return study.late_entries_read(TWENTY, 0, **variant)


def encoded_updates():
    """What seven clients would send without masks, and how many examples they have."""
    from edgedl_lib.training.security.secure_aggregation.federated import Scheme

    scheme = Scheme(Quantiser(4.0, 20), most_examples=100)
    changes = np.random.default_rng(0).normal(size=(7, 650))
    return scheme, [scheme.encode(0.1 * change, 75) for change in changes]


@sabotage("secagg.model_equals_average")
def divided_by_all_chosen():
    """The mean over everybody who was asked, the silent one included."""
    scheme, updates = encoded_updates()
    total = sum(updates)
    everybody = np.append(total[:-1], total[-1] + 75)
    return float(np.abs(scheme.mean(total, 7) - scheme.mean(everybody, 7)).max())


@sabotage("secagg.server_sees_updates")
def an_ordinary_server():
    """Quantised updates in the right format, without masks."""
    _, updates = encoded_updates()
    packed = [wire.pack_entries(update.astype(np.uint32), 23) for update in updates]
    opened = [wire.unpack_entries(data, 651, 23, np.dtype(np.uint32)) for data in packed]
    return sum(np.array_equal(own, seen) for own, seen in zip(opened, updates, strict=True))
