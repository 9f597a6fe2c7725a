"""Approximate model scheduling (MCDNN [152]): which variant serves each request, and where, within three budgets.

A day of requests is drawn once; SimPy plays it to a policy, which sees the link, the battery, the money and the memory
of the moment.  The static optimum and the offline bound know the whole day.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

from edgedl_lib.inference.compression.catalogues.model_catalogue import Application, Option

HYSTERESIS = 8  # requests in a row that must want a variant before it is loaded
MARGIN = 3.0  # standard deviations of the number of requests that are kept in reserve


@dataclass(frozen=True)
class Budgets:
    """What a day may cost: device energy (J), cloud calls, bytes of models in memory."""

    energy: float
    money: float
    memory: float

    def __post_init__(self) -> None:
        if not (self.energy > 0 and self.money >= 0 and self.memory > 0):
            raise ValueError(f"budgets must be positive (money may be zero), got {self}")


@dataclass(frozen=True)
class Day:
    """Requests and connectivity of one day.

    Attributes
    ----------
    applications : tuple of Application
    duration : float
        Seconds.
    times : ndarray, shape (n,)
        Arrivals, s, ascending.
    owners : ndarray, shape (n,)
        Index of each request's application.
    online : ndarray of bool, shape (n,)
        Whether the link is up at each arrival.
    """

    applications: tuple[Application, ...]
    duration: float
    times: np.ndarray
    owners: np.ndarray
    online: np.ndarray

    @property
    def rate(self) -> float:
        """Expected requests per second of all applications."""
        return sum(application.rate for application in self.applications)

    def counts(self) -> np.ndarray:
        """Requests by application and link (down, up), shape (applications, 2)."""
        counts = np.zeros((len(self.applications), 2))
        np.add.at(counts, (self.owners, self.online.astype(int)), 1)
        return counts


def draw_day(
    applications: Sequence[Application], seed: int, duration: float = 36_000.0, up: float = 1_800.0, down: float = 900.0
) -> Day:
    """Poisson requests of each application; the link stays up and down for exponential times of these means (s)."""
    rng = np.random.default_rng(seed)
    arrivals = [np.sort(rng.uniform(0, duration, rng.poisson(app.rate * duration))) for app in applications]
    owners = np.repeat(np.arange(len(applications)), [len(times) for times in arrivals])
    times = np.concatenate(arrivals)
    order = np.argsort(times, kind="stable")
    lengths = rng.exponential(np.tile([up, down], math.ceil(4 * duration / (up + down)) + 4))
    online = np.searchsorted(np.cumsum(lengths), times[order], side="right") % 2 == 0
    return Day(tuple(applications), duration, times[order], owners[order], online)


@dataclass
class Phone:
    """The state that a policy sees: what is left, what is loaded, how far the day has gone."""

    day: Day
    budgets: Budgets
    energy: float = 0.0
    money: float = 0.0
    loaded: dict[int, Option] = field(default_factory=dict)
    highest_memory: float = 0.0

    @property
    def energy_left(self) -> float:
        return self.budgets.energy - self.energy

    @property
    def money_left(self) -> float:
        return self.budgets.money - self.money

    def price(self, owner: int, option: Option) -> float:
        """Energy of a request, loading included if the variant is not in memory, J."""
        return option.energy + (0.0 if self.ready(owner, option) else option.loading_energy)

    def ready(self, owner: int, option: Option) -> bool:
        """Whether the option can serve without loading."""
        return option.in_cloud or self.loaded.get(owner) == option

    def fits(self, owner: int, option: Option) -> bool:
        """Whether the variant fits into memory beside what the other applications have loaded."""
        others = sum(variant.memory for other, variant in self.loaded.items() if other != owner)
        return others + option.memory <= self.budgets.memory

    def serve(self, owner: int, option: Option) -> None:
        """Pay for one request, and load its variant if needed."""
        self.energy += self.price(owner, option)
        self.money += option.money
        if not option.in_cloud:
            self.loaded[owner] = option
        held = sum(variant.memory for variant in self.loaded.values())
        self.highest_memory = max(self.highest_memory, held)


#: ``policy(phone, time, owner, online)`` returns the option that serves the request.
Policy = Callable[[Phone, float, int, bool], Option]


@dataclass(frozen=True)
class DayResult:
    """What a policy made of a day.

    Attributes
    ----------
    accuracy : float
        Mean over all requests, percent; an unserved one counts zero.
    served : float
        Share of the requests.
    last_served : float
        Time of the last served request over the day's length.
    energy, money, memory : float
        Spent, as shares of the budgets; memory at its highest.
    energy_over_time, accuracy_over_time : ndarray, shape (n,)
        Share of the battery spent, and accuracy, at each request.
    """

    accuracy: float
    served: float
    last_served: float
    energy: float
    money: float
    memory: float
    energy_over_time: np.ndarray
    accuracy_over_time: np.ndarray

    @property
    def highest_use(self) -> float:
        """Largest share of a budget that was used; above one is a violation."""
        return max(self.energy, self.money, self.memory)


def play(day: Day, budgets: Budgets, policy: Policy) -> DayResult:
    """Play a day to a policy; a request that the battery cannot pay stays unserved."""
    import simpy

    environment, phone = simpy.Environment(), Phone(day, budgets)
    spent, accuracy = np.zeros(len(day.times)), np.zeros(len(day.times))

    def requests():
        for number, (time, owner) in enumerate(zip(day.times, day.owners, strict=True)):
            yield environment.timeout(time - environment.now)
            option = policy(phone, time, int(owner), bool(day.online[number]))
            if phone.price(int(owner), option) <= phone.energy_left:
                phone.serve(int(owner), option)
                accuracy[number] = option.accuracy
            spent[number] = phone.energy / budgets.energy

    environment.process(requests())
    environment.run()
    served = accuracy > 0
    money = phone.money / budgets.money if budgets.money else float(phone.money > 0)
    last = float(day.times[served].max() / day.duration) if served.any() else 0.0
    memory = phone.highest_memory / budgets.memory
    return DayResult(float(accuracy.mean()), float(served.mean()), last, spent[-1], money, memory, spent, accuracy)


def best_always(phone: Phone, time: float, owner: int, online: bool) -> Option:
    """The most accurate variant on the device, whatever it costs."""
    return phone.day.applications[owner].best


def cheapest_always(phone: Phone, time: float, owner: int, online: bool) -> Option:
    """The variant of least energy."""
    return phone.day.applications[owner].variants[0]


class ApproximateScheduler:
    """MCDNN's heuristic: every request gets its share of what is left; the most accurate option that it can pay serves.

    What a request does not spend stays in its application's account, up to a limit.  A better variant is loaded when
    :data:`HYSTERESIS` requests in a row could have paid for it, and loading is paid like everything else.
    """

    def __init__(self, day: Day, hysteresis: int = HYSTERESIS) -> None:
        count = len(day.applications)
        self.energy, self.money = np.zeros(count), np.zeros(count)
        self.hysteresis, self.waiting = hysteresis, [0] * count
        self.online_seen, self.seen = 1, 1

    def __call__(self, phone: Phone, time: float, owner: int, online: bool) -> Option:
        self._add_shares(phone, time, owner, online)
        options = [option for option in phone.day.applications[owner].options if online or not option.in_cloud]
        payable = [option for option in options if self._can_pay(phone, owner, option)]
        best = max(payable, key=lambda option: option.accuracy, default=None)
        chosen = max((o for o in payable if phone.ready(owner, o)), key=lambda option: option.accuracy, default=None)
        if best is not None and not best.in_cloud and self._insists(phone, owner, best):
            chosen = best
        chosen = chosen or self._fallback(phone, owner, online)
        self.energy[owner] -= phone.price(owner, chosen)
        self.money[owner] -= chosen.money
        return chosen

    def _add_shares(self, phone: Phone, time: float, owner: int, online: bool) -> None:
        self.seen, self.online_seen = self.seen + 1, self.online_seen + online
        expected = phone.day.rate * (phone.day.duration - time)
        requests = max(1.0, expected + MARGIN * math.sqrt(expected))
        share = (phone.energy_left - self.energy.sum()) / requests
        self.energy[owner] = min(self.energy[owner] + share, self._enough(phone, owner))
        if online:
            calls = max(1.0, requests * self.online_seen / self.seen)
            self.money[owner] += (phone.money_left - self.money.sum()) / calls

    def _enough(self, phone: Phone, owner: int) -> float:
        """The most that an account may hold: loading the best variant and a few requests; the rest is for others."""
        best = phone.day.applications[owner].best
        return best.loading_energy + self.hysteresis * best.energy

    def _can_pay(self, phone: Phone, owner: int, option: Option) -> bool:
        energy = min(self.energy[owner], phone.energy_left)
        money = min(self.money[owner], phone.money_left)
        affordable = phone.price(owner, option) <= energy and option.money <= money + 1e-12
        return affordable and (option.in_cloud or phone.fits(owner, option))

    def _insists(self, phone: Phone, owner: int, option: Option) -> bool:
        """Whether requests in a row could have paid for a better variant than the one in memory."""
        loaded = phone.loaded.get(owner)
        better = loaded is None or option.accuracy > loaded.accuracy
        self.waiting[owner] = self.waiting[owner] + 1 if better else 0
        return self.waiting[owner] >= self.hysteresis

    def _fallback(self, phone: Phone, owner: int, online: bool) -> Option:
        """What takes the least energy now, among the device's variants and a cloud that the account can pay."""
        options = [
            option
            for option in phone.day.applications[owner].options
            if not option.in_cloud or (online and option.money <= min(self.money[owner], phone.money_left))
        ]
        return min(options, key=lambda option: phone.price(owner, option))


def static_optimum(day: Day, budgets: Budgets) -> float:
    """Mean accuracy, percent, of the best fixed choice per application that keeps all budgets; it knows the day.

    Each application has one variant in memory for the whole day, and may send to the cloud whenever the link is up.
    """
    counts, best = day.counts(), 0.0
    for choice in itertools.product(*(_static_choices(app) for app in day.applications)):
        money = sum(counts[i, 1] for i, (_, remote) in enumerate(choice) if remote)
        memory = sum(variant.memory for variant, _ in choice)
        energy = sum(variant.loading_energy for variant, _ in choice)
        right = 0.0
        for (variant, remote), (down, up) in zip(choice, counts, strict=True):
            while_up = remote or variant
            energy += down * variant.energy + up * while_up.energy
            right += down * variant.accuracy + up * while_up.accuracy
        if energy <= budgets.energy and money <= budgets.money and memory <= budgets.memory:
            best = max(best, right / counts.sum())
    return best


def _static_choices(application: Application) -> list[tuple[Option, Option | None]]:
    remotes = [None, *(option for option in application.options if option.in_cloud)]
    return [(variant, remote) for variant in application.variants for remote in remotes]


def offline_bound(day: Day, budgets: Budgets) -> float:
    """Mean accuracy, percent, that no policy can exceed: the linear programme over the whole day, loading for free."""
    rows = [
        (group, option)
        for group, (owner, up) in enumerate(itertools.product(range(len(day.applications)), (0, 1)))
        for option in day.applications[owner].options
        if up or not option.in_cloud
    ]
    counts = day.counts().ravel()
    accuracy = np.array([option.accuracy for _, option in rows])
    costs = np.array([[option.energy, option.money] for _, option in rows]).T
    membership = np.array([[float(group == row) for row, _ in rows] for group in range(len(counts))])
    solution = linprog(-accuracy, costs, [budgets.energy, budgets.money], membership, counts, bounds=(0, None))
    if not solution.success:
        raise ValueError("no schedule serves the day within these budgets; raise the energy budget")
    return float(-solution.fun / counts.sum())


def standard_budgets(day: Day, energy_share: float = 0.55, call_share: float = 0.25, memory: float = 26e6) -> Budgets:
    """A battery for a share of what the best variants need, and cloud calls for a share of the expected requests."""
    expected = day.duration * np.array([application.rate for application in day.applications])
    best = np.array([application.best.energy for application in day.applications])
    return Budgets(energy_share * float(expected @ best), call_share * float(expected.sum()), memory)


@dataclass(frozen=True)
class DayComparison:
    """All policies on one day.

    Attributes
    ----------
    results : dict of str to DayResult
        "best always", "cheapest always" and "MCDNN".
    static, bound : float
        Mean accuracy of the best fixed choice and of the offline linear programme, percent.
    """

    results: dict[str, DayResult]
    static: float
    bound: float

    @property
    def scheduled(self) -> DayResult:
        """The heuristic's day."""
        return self.results["MCDNN"]


def compare_policies(applications: Sequence[Application], seed: int) -> DayComparison:
    """Play one day to every policy."""
    day = draw_day(applications, seed)
    budgets = standard_budgets(day)
    policies = {
        "best always": best_always,
        "cheapest always": cheapest_always,
        "MCDNN": ApproximateScheduler(day),
    }
    results = {name: play(day, budgets, policy) for name, policy in policies.items()}
    return DayComparison(results, static_optimum(day, budgets), offline_bound(day, budgets))
