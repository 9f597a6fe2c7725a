"""Wrong ways to pace devices and to hold rounds; each must be caught."""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.vanilla.pace import study
from edgedl_lib.training.vanilla.pace.over_selection import chance_to_report, selected
from edgedl_lib.training.vanilla.pace.rounds import first_come
from edgedl_lib.training.vanilla.pace.rules import Clock, FixedRetry, Steering, UniformReturn, Windows

HALF_DAY = Clock(duration=43_200.0)


@dataclass(frozen=True)
class Desynchronised(FixedRetry):
    """A retry after about ten minutes, anywhere."""

    together: bool = False

    def tick(self, clock):
        return 1

    def windows(self, clock, eligibility, devices):
        ones = np.ones(len(clock.times), dtype=int)
        return Windows(ones, 119 * ones)


@dataclass(frozen=True)
class NextMinute(Steering):
    """Every device is asked for the next full round, however many there are."""

    def windows(self, clock, eligibility, devices):
        ones = np.ones(len(clock.times), dtype=int)
        return Windows(clock.per_round * ones, clock.per_round * ones)

    def tick(self, clock):
        return clock.per_round


@sabotage("flscale.scale", "flscale.steered_rejected")
def a_window_that_forgets_the_population():
    """Twenty minutes suit ten thousand devices; a million and a half would be turned away."""
    swept = study.sweep(UniformReturn(), (0,), (10_000, 1_500_000), clock=HALF_DAY)
    return {"flscale.scale": swept.largest_served, "flscale.steered_rejected": float(swept.column("rejected").max())}


@sabotage("flscale.naive_growth")
def naive_devices_that_are_steered():
    """If the retry grew with the population, the rejections would not."""
    swept = study.sweep(Steering(), (0,), (1_000, 100_000), clock=HALF_DAY)
    return float(swept.column("rejected")[1] / swept.column("rejected")[0])


@sabotage("flscale.steered_peak")
def large_populations_come_together_too():
    """Aligned windows are right for two hundred devices, and a thundering herd for ten thousand."""
    return float(study.sweep(NextMinute(), (0,), (10_000,), clock=HALF_DAY).column("peak").max())


@sabotage("flscale.naive_peak")
def a_retry_that_nobody_synchronises():
    """Devices that start at any time do not come all at once."""
    return float(study.sweep(Desynchronised(), (0,), (1_000, 10_000), clock=HALF_DAY).column("peak").min())


@sabotage("flscale.steered_fill")
def two_hundred_devices_come_when_they_like():
    """Without aligned windows there are never a hundred of two hundred at once."""
    return float(study.sweep(UniformReturn(), (0,), (200,)).column("fill").min())


@sabotage("flscale.uniform_fill")
def a_uniform_return_within_two_minutes():
    """A window that happens to suit the population is steering by hand."""
    return float(study.sweep(UniformReturn(seconds=120.0), (0,), (1_000,), clock=HALF_DAY).column("fill").max())


@sabotage("flscale.exact_ask_fill")
def asking_for_more_and_calling_it_exact():
    """A safety factor that was left in fills nearly all rounds."""
    return float(study.sweep(Steering(safety=1.6), (0,), (1_000,), clock=HALF_DAY).column("fill").mean())


@sabotage("flscale.overselect")
def compensate_the_mean_only():
    """A hundred over 0.9: half of the rounds would still be short."""
    return 100 / 0.9


@sabotage("flscale.sync_hundreds")
def users_taken_for_simultaneous_clients():
    """1.5 million users took part, over five days, not at once."""
    return 1_500_000.0


@sabotage("flscale.minutes_per_round")
def working_days():
    """Twelve hours a day."""
    return 5 * 12 * 60 / 3000


def _chances(wrong) -> dict[str, float]:
    return {
        f"flscale.reported.drop_{round(100 * rate)}.factor_{str(factor).replace('.', '_')}": wrong(factor, rate)
        for factor, rate in study.GOLDEN_CASES
    }


OFF_BY_ONE = ("reported.drop_10.factor_1_1", "reported.drop_10.factor_1_2", "reported.drop_20.factor_1_3")


@sabotage(*(f"flscale.{name}" for name in OFF_BY_ONE))
def more_than_the_target_instead_of_at_least():
    """One report too many is asked for."""
    values = _chances(lambda factor, rate: chance_to_report(101, selected(100, factor), rate))
    return {f"flscale.{name}": values[f"flscale.{name}"] for name in OFF_BY_ONE}


@sabotage("flscale.reported.drop_10.factor_1_0", "flscale.reported.drop_10.factor_1_3")
def drop_outs_for_whole_rounds():
    """Either all devices drop out or none: the chance is that of one device."""
    return 0.9


@sabotage("flscale.reported.simulated")
def rounds_that_share_their_luck():
    """Drop-outs that hit whole rounds together: 0.9 instead of 0, or of 0.45."""
    exact = study.exact_chances()
    return max(abs(0.9 - chance) for chance in exact.values())


@sabotage("flscale.straggler_wait", "flscale.fast_bias")
def devices_that_are_all_equally_fast():
    """Nobody straggles, nobody is favoured."""
    equal = study.straggling(0, rounds=50, spread=1e-9)
    return {"flscale.straggler_wait": equal.wait_ratio, "flscale.fast_bias": equal.counted_duration}


@sabotage("flscale.reservoir_half")
def first_come_first_served():
    """Seats are gone before the second half arrives."""
    return study.early_share(0, first_come, rounds=20)
