"""Wrong versions of FEDL: nats taken for bits, everybody at full clock, surrogates of the wrong sign."""

from dataclasses import replace

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.resources.fedl import allocation, learning, study, surrogate
from edgedl_lib.training.resources.fedl.cell import distance_study, size_study, stored_instance
from edgedl_lib.training.wireless import computing_energy, computing_time

LABELS = ("1em4", "0p006", "0p01", "0p1", "0p5", "1", "10")
GOLDEN = {
    name: f"fedl.ue5_kappa{{}}_{name}" for name in ("t_cp", "e_cp", "t_co", "e_co", "theta", "obj", "energy", "time")
}
SENDING = ("t_co", "e_co", "theta", "obj", "energy", "time")


def named(names):
    """Ids of the stored solutions of some quantities, for every weight."""
    return [GOLDEN[name].format(label) for name in names for label in LABELS]


def quantities(plan):
    """The eight quantities of a plan by their short names."""
    parts = (plan.computing_time, plan.computing_energy, plan.sending_time, plan.sending_energy)
    return dict(zip(GOLDEN, (*parts, plan.local_accuracy, plan.cost, plan.energy, plan.time), strict=True))


def wrong_solutions(cells, names):
    """Wrong values of the named quantities, by id."""
    found = {label: quantities(allocation.allocate(stored_instance() if cells is None else cells, kappa))
             for label, kappa in zip(LABELS, study.KAPPAS, strict=True)}  # fmt: skip
    return {GOLDEN[name].format(label): found[label][name] for name in names for label in LABELS}


@sabotage(*named(SENDING))
def nats_taken_for_bits():
    """Reads s_n as bits: a factor of ln 2 in every slot."""
    return wrong_solutions(replace(stored_instance(), nats=25_000 * np.log(2)), SENDING)


@sabotage(*named(("t_cp", "e_cp")))
def bytes_taken_for_bits():
    """Counts data in bytes: an eighth of the cycles."""
    return wrong_solutions(replace(stored_instance(), bits=stored_instance().bits / 8), ("t_cp", "e_cp"))


def at_full_clock(kappa):
    """Cost, energy and time with every device at its largest clock."""
    cell = stored_instance()
    plan = allocation.allocate(cell, kappa)
    time = float(computing_time(cell.cycles, cell.maximum_clock).max())
    energy = float(computing_energy(cell.cycles, cell.maximum_clock, cell.capacitance).sum())
    return replace(plan, clock=cell.maximum_clock, computing_time=time, computing_energy=energy)


@sabotage("fedl.solver", "fedl.subproblems")
def everybody_at_full_clock():
    """Takes full clock for the cheapest because it ends the round first; a solver finds less."""
    gaps = [
        at_full_clock(kappa).cost / allocation.allocate(stored_instance(), kappa).cost - 1 for kappa in study.KAPPAS
    ]
    return {"fedl.solver": max(gaps), "fedl.subproblems": 3 - (max(gaps) > 1e-3)}


@sabotage("fedl.plateau", "fedl.bottleneck")
def capacitance_without_its_half():
    """Drops the half of the energy: both borders move to twice the weight."""
    doubled = replace(stored_instance(), capacitance=4e-28)
    return {
        "fedl.plateau": study.plateau_border(doubled) / (2e-28 * 0.3e9**3),
        "fedl.bottleneck": study.bottleneck_border(doubled),
    }


@sabotage("fedl.energy_time_conflict", "fedl.pareto")
def a_front_of_wrong_optima():
    """Solves the odd weights at full clock: those points are beaten by their neighbours."""
    plans = [
        at_full_clock(kappa) if number % 2 else allocation.allocate(stored_instance(), kappa)
        for number, kappa in enumerate(study.SWEEP)
    ]
    energy, time = (np.array([getattr(plan, name) for plan in plans]) for name in ("energy", "time"))
    return {
        "fedl.energy_time_conflict": study.trade_share(energy, time),
        "fedl.pareto": int(study.dominated(energy, time).sum()),
    }


@sabotage("fedl.size_heterogeneity", "fedl.distance_heterogeneity")
def everybody_like_the_mean():
    """Replaces every device by the mean one: heterogeneity costs nothing."""
    cost = allocation.allocate(distance_study(1.0), 1.0).cost
    return dict.fromkeys(("fedl.size_heterogeneity", "fedl.distance_heterogeneity"), cost / cost)


@sabotage(*(f"fedl.ue50_{what}_{how}_cost" for what in ("size", "distance") for how in ("homog", "heterog")))
def bits_for_nats_in_the_large_cell():
    """Reads the nats of an update as bits in all four studies."""
    cells = {"size": lambda ratio: size_study(ratio, 0), "distance": distance_study}
    return {
        f"fedl.ue50_{what}_{how}_cost": allocation.allocate(replace(build(ratio), nats=25_000 * np.log(2)), 1.0).cost
        for what, build in cells.items()
        for how, ratio in (("homog", 1.0), ("heterog", 0.001))
    }


@sabotage(
    *(f"fedl.ton_sub3_theta_rho{name}" for name in ("1p4", "2", "5")),
    *(f"fedl.ton_sub3_eta_rho{name}" for name in ("1p4", "2", "5")),
    *(f"fedl.ton_sub3_progress_rho{name}" for name in ("1p4", "2", "5")),
)
def the_conference_ratio():
    """Takes theta of the conference version, and its ratio of costs for the learning parameter."""
    plan = allocation.allocate(stored_instance(), 1.0)
    share = plan.computing_energy + plan.computing_time
    ratio = share / (share + plan.sending_energy + plan.sending_time)
    wrong = {"theta": plan.local_accuracy, "eta": ratio, "progress": 1 - plan.local_accuracy}
    return {
        f"fedl.ton_sub3_{quantity}_rho{name}": value for quantity, value in wrong.items() for name in ("1p4", "2", "5")
    }


@sabotage("fedl.beats_fedavg", "fedl.key_metrics")
def surrogate_that_is_the_loss():
    """Leaves the correction out: FEDL is federated averaging then, and stalls with it."""
    problem = surrogate.linear_clients(0)
    stalled = surrogate.fedavg_gaps(problem, 60)[-1]
    return {"fedl.beats_fedavg": stalled, "fedl.key_metrics": np.log10(stalled / stalled)}


@sabotage("fedl.fedavg_stalls")
def clients_that_are_alike():
    """Compares on clients with equal data, where averaging reaches the optimum too."""
    return surrogate.fedavg_gaps(surrogate.linear_clients(0, spread=0.0), 60)[-1]


@sabotage("fedl.eta_speed")
def eta_does_not_reach_the_clients():
    """Runs the same eta under four names."""
    gap = surrogate.fedl_gaps(surrogate.linear_clients(0), 0.05, 30)[-1]
    return study.falling_share([gap] * 4)


@sabotage("fedl.diverges")
def eta_clipped_at_one():
    """Clips eta to keep it stable: nothing grows any more."""
    gaps = surrogate.fedl_gaps(surrogate.linear_clients(0), min(4.0, 1.0), 60)
    return np.log10(gaps[-1] / gaps[0])


@sabotage("fedl.identical_clients")
def correction_of_the_wrong_sign():
    """Adds the received gradient where it is to be taken away: even equal clients run past the optimum."""
    problem = surrogate.linear_clients(0, spread=0.0)
    ends = np.ones((len(problem.weight), problem.slope.shape[1]))
    slope = problem.weight @ problem.gradients(ends)
    for _ in range(3000):
        ends = ends - 0.04 * (problem.gradients(ends) + slope + problem.gradients(np.ones_like(ends)))
    return problem.gap(problem.weight @ ends)


@sabotage("fedl.digits_accuracy", "fedl.digits_rounds")
def an_eta_that_never_arrives():
    """Never lets eta reach the clients: after its first round FEDL stays where it is."""
    fedl, averaging = learning.duel(0, eta=0.0, rounds=5)
    return {
        "fedl.digits_accuracy": learning.points_gained(fedl, averaging),
        "fedl.digits_rounds": learning.rounds_saved(fedl, averaging),
    }


@sabotage("fedl.conditions")
def eta_too_bold_for_all():
    """Multiplies every eta by a hundred: the larger ones diverge, most of all where the condition is bad."""
    shares = []
    for condition in (1.4, 2.0, 5.0):
        problem = surrogate.linear_clients(0, condition=condition)
        shares.append(study.falling_share([surrogate.fedl_gaps(problem, 100 * eta, 40)[-1] for eta in (0.01, 0.07)]))
    return float(np.mean(np.array(shares) == 1))
