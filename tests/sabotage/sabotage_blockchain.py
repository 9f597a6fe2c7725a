"""Wrong versions of BlockFL: no forks, one hop for nine, everybody's miner faulty, links checked alone, equal pay."""

from dataclasses import replace

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.security.blockchain import chain, events, latency, learning, study
from edgedl_lib.training.security.blockchain.race import draw_race, race
from edgedl_lib.training.security.blockchain.regression import draw_samples
from edgedl_lib.training.security.blockchain.setting import letter_setting

LETTER = letter_setting(0)
BEST = latency.best_rate(LETTER)
ATTEMPTS = 10_000


@sabotage("blockfl.clients")
def impatient_miners():
    """A wait shorter than training and upload: updates miss the block."""
    return int(replace(LETTER, wait=0.005).in_time.sum())


@sabotage("blockfl.metric_latency", "blockfl.latency_convex", "blockfl.more_miners_slower")
def no_forks():
    """Blocks that never collide: the faster the better, and the more miners the better."""

    def without(setting, rate):
        return float(latency.attempt(setting, rate)) + setting.finish

    around = min(without(LETTER, BEST / 10), without(LETTER, 10 * BEST)) / without(LETTER, BEST)
    miners = [without(letter_setting(0, miners=count), BEST) for count in (2, 5, 10, 20)]
    return {
        "blockfl.metric_latency": around,
        "blockfl.latency_convex": around,
        "blockfl.more_miners_slower": float(np.min(np.array(miners[1:]) / miners[:-1])),
    }


@sabotage("blockfl.malfunction_isolated")
def every_miner_as_the_server():
    """One miner serves all devices: the chain with a server's single point of failure."""
    setting = letter_setting(0)
    devices = draw_samples(setting.samples, 0)
    server = learning.train_with_server(setting, devices, 20, 0)
    one = learning.train_with_chain(replace(setting, miners=1), devices, 20, 0, (0,))
    return one.median_error() / server.median_error()


@sabotage("blockfl.rewards")
def equal_pay():
    """The same reward for every device."""
    updates = [chain.Update(device, count, 0.0, b"", b"") for device, count in enumerate(LETTER.samples)]
    return study.reward_correlation(updates, {update.device: 1.0 for update in updates})


@sabotage(
    "blockfl.optimal_rate_exists", "blockfl.rate_golden", "blockfl.minimum_golden", "blockfl.latency_at_closed_form"
)
def one_hop_for_nine():
    """The printed form with the time of a single hop."""
    printed = latency.printed_rate(LETTER)
    sweep = study.sweep_rates(LETTER, study.around(BEST, 2.0, 21), ATTEMPTS, 0)
    there = study.sweep_rates(LETTER, [printed], ATTEMPTS, 0).latency[0]
    return {
        "blockfl.optimal_rate_exists": 100 * abs(printed / sweep.best_rate - 1),
        "blockfl.rate_golden": printed,
        "blockfl.minimum_golden": float(latency.repeated(LETTER, printed)),
        "blockfl.latency_at_closed_form": there / sweep.latency.min(),
    }


@sabotage("blockfl.printed_form")
def the_sum_under_the_printed_name():
    """The closed form with the sum, taken for the printed one: no difference is found."""
    sweep = study.sweep_rates(LETTER, [BEST, BEST], ATTEMPTS, 0)
    return float(sweep.latency[1] / sweep.latency[0])


@sabotage("blockfl.printed_form_two_miners")
def both_miners_in_the_sum():
    """The winner's own hop counted: two terms for two miners."""
    two = letter_setting(0, miners=2)
    return latency.printed_rate(two) / latency._closed_form(two, 2 * float(two.hops[0]))


@sabotage("blockfl.fork_formula")
def winner_races_itself():
    """N_M instead of N_M - 1 in the exponent."""
    rates = np.linspace(0.05, 1, 12)
    forks = study.sweep_rates(LETTER, rates, ATTEMPTS, 0).fork
    return float(np.abs(forks - (1 - np.exp(-rates * LETTER.hops.sum()))).max())


@sabotage("blockfl.one_miner")
def a_miner_that_forks_with_itself():
    """One hop in the exponent although there is nobody else."""
    alone = letter_setting(0, miners=1)
    hop = float(alone.hops[0])
    fast, slow = (float(latency.attempt(alone, rate)) * np.exp(rate * hop) for rate in (10.0, 1.0))
    return fast / slow


@sabotage("blockfl.event_twin")
def forks_repeat_the_mining_only():
    """An array in which a fork does not repeat the collection of updates."""
    draws = draw_race(LETTER, 100, 0)
    true = events.epochs(events.simulate(LETTER, BEST, draws), LETTER.finish)
    run = race(LETTER, BEST, draws)
    again = np.concatenate([[False], run.forked[:-1]])
    ends = np.cumsum(run.seconds - LETTER.wait * again)[~run.forked]
    return float(np.max(np.abs((np.diff(ends, prepend=0.0) + LETTER.finish) / true - 1)))


@sabotage("blockfl.tamper_rejected")
def links_alone():
    """Only the links are compared, not the content."""

    def check(blocks):
        previous = chain.GENESIS
        for block in blocks:
            if block.previous != previous:
                raise chain.TamperedBlock("link")
            previous = block.digest

    return study.rejected_alterations(0, check=check)


@sabotage("blockfl.false_samples")
def generous_miners():
    """Claims are accepted up to twice what the time allows."""
    updates = [
        chain.Update(k, n, float(s), b"", b"")
        for k, (n, s) in enumerate(zip(LETTER.samples, LETTER.local_seconds, strict=True))
    ]
    return study.rejected_claims(updates, replace(LETTER, clock=2 * LETTER.clock))
