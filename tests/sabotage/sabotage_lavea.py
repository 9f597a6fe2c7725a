"""Wrong versions of LAVEA: its link, its order, its knowledge of the neighbours, its sharing of the uplink."""

import numpy as np

from edgedl_lib.offloading.horizontal.lavea import city, flow_shop, frames, schemes, selection, study
from edgedl_lib.offloading.horizontal.lavea.cluster import draw_stream, front_and_neighbours
from edgedl_lib.offloading.horizontal.lavea.placement import place
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.link import Link
from edgedl_lib.system.places import generated_city
from edgedl_lib.system.trace import synthetic_trace

SHORT = {"seeds": (0, 1), "duration": 300.0}


@sabotage("lavea.speedup_vs_local", "lavea.speedup_vs_local.smallest", "lavea.speedup_vs_local.largest")
def edge_behind_a_cellular_link():
    """The edge charged the uplink of a 3G cell instead of the wireless LAN behind which it stands."""
    local = study.speed_ups(edge_link=Link("3G", 1.4e6, rtt=0.06)).over_local
    return {
        "lavea.speedup_vs_local": study.geometric_mean(local),
        "lavea.speedup_vs_local.smallest": local.min(),
        "lavea.speedup_vs_local.largest": local.max(),
    }


@sabotage("lavea.speedup_vs_cloud", "lavea.speedup_vs_cloud.smallest", "lavea.speedup_vs_cloud.largest")
def one_uplink_for_both():
    """The access link alone: the way from the access point to the cloud is forgotten."""
    cloud = study.speed_ups(cloud_link=frames.TO_EDGE).over_cloud
    return {
        "lavea.speedup_vs_cloud": study.geometric_mean(cloud),
        "lavea.speedup_vs_cloud.smallest": cloud.min(),
        "lavea.speedup_vs_cloud.largest": cloud.max(),
    }


@sabotage("lavea.johnson_optimal")
def shortest_job_first():
    """Sorting by the sum of both stages, as one would for one machine."""
    return study.flow_shop_trial(0, order=lambda jobs: np.argsort(jobs.upload + jobs.processing)).optimal_share


@sabotage("lavea.fifo_makespan", "lavea.fifo_completion")
def no_overlap():
    """One stage after the other for each job: without overlap the order cannot matter for the makespan."""
    generator, makespans, completions = np.random.default_rng(0), [], []
    for _ in range(50):
        jobs = study.random_jobs(generator)
        total = (jobs.upload + jobs.processing)[np.array([np.arange(study.JOBS), flow_shop.johnson_order(jobs)])]
        done = np.cumsum(total, axis=1)
        makespans.append(done[0, -1] / done[1, -1])
        completions.append(done[0].mean() / done[1].mean())
    return {"lavea.fifo_makespan": np.mean(makespans), "lavea.fifo_completion": np.mean(completions)}


@sabotage("lavea.johnson_stream")
def sorted_once_for_all():
    """Sorting the whole stream in advance, arrivals forgotten: a batch, in which the rule hardly costs anything."""
    generator = np.random.default_rng(0)
    jobs = flow_shop.Jobs(*generator.uniform(0, 1, (2, 500)))
    makespans = [flow_shop.makespan(jobs, order) for order in _both_orders(jobs)]
    return float(makespans[0] / makespans[1])


def _both_orders(jobs):
    return flow_shop.johnson_order(jobs), np.argsort(jobs.upload + jobs.processing)


@sabotage("lavea.never_worse")
def every_client_for_itself():
    """Each client decides as if the uplink were its own."""
    return study.selection_trial(0, choose=selection.selfish_selection, instances=100).never_worse


@sabotage("lavea.rounding_excess")
def task_by_task():
    """Each task compares its own times at an equal share of the uplink, whatever its neighbours in the chain do."""

    def choose(problem):
        share = problem.uplink / (problem.client.max() + 1)
        return problem.local_seconds > problem.edge_seconds + problem.size_bits / share

    return study.selection_trial(0, choose=choose, instances=100).excess.mean()


def own_line_for_all(view):
    """The front node's own line read as if it were each neighbour's."""
    starts = [transmission + view.backlog for transmission in view.transmission]
    return schemes.HERE if view.backlog <= min(starts) else starts.index(min(starts))


def never_at_home(view):
    """The shortest reported line, the front node's own not among the candidates."""
    lines = [report.present for report in view.reports]
    return lines.index(min(lines))


def nearest_free(view):
    """STTF that passes over neighbours reported busy: no longer STTF."""
    if view.present == 0:
        return schemes.HERE
    waits = [a + report.backlog for a, report in zip(view.transmission, view.reports, strict=True)]
    return waits.index(min(waits))


@sabotage("lavea.best_placement", "lavea.sslf_gain.rate_2_5", "lavea.sslf_gain.rate_3_5")
def reads_its_own_line():
    """A prediction from the wrong line: the front node never looks better or worse than its neighbours."""
    means = study.placement_study({"SSLF": own_line_for_all, "SQLF": schemes.shortest_queue}, **SHORT)
    gains = 100 * (1 - means["SSLF"] / means["SQLF"]).mean(axis=1)
    return {
        "lavea.best_placement": (means["SSLF"] / means["SQLF"]).mean(axis=1).max(),
        "lavea.sslf_gain.rate_2_5": gains[0],
        "lavea.sslf_gain.rate_3_5": gains[1],
    }


@sabotage("lavea.sttf_over_sqlf")
def looks_at_lines():
    """Shortest transmission among the free neighbours: it no longer herds."""
    means = study.placement_study({"STTF": nearest_free, "SQLF": schemes.shortest_queue}, **SHORT)
    return (means["STTF"] / means["SQLF"]).mean(axis=1).min()


@sabotage("lavea.front_only")
def drops_what_it_cannot_serve():
    """A front node that refuses two jobs in five and counts only the served ones."""
    cluster = front_and_neighbours(2.5)
    refusing = place(front_and_neighbours(1.5), draw_stream(front_and_neighbours(1.5), 500.0, 0), schemes.front_only)
    helped = place(cluster, draw_stream(cluster, 500.0, 0), schemes.shortest_scheduling)
    return refusing.mean_response / helped.mean_response


@sabotage("lavea.unloaded_stays")
def always_moves():
    """The front node is not a candidate."""
    return study.kept_when_unloaded([never_at_home], 0)


@sabotage("lavea.stale_sslf", "lavea.stale_sqlf")
def always_fresh():
    """Both runs with the present state: the reports' age never reaches the scheme."""
    pair = {"SSLF": schemes.shortest_scheduling, "SQLF": schemes.shortest_queue}
    old, new = (study.placement_study(pair, (3.5,), (0,), report_period=1.0, duration=300.0) for _ in range(2))
    return {f"lavea.stale_{name.lower()}": float(old[name][0, 0] / new[name][0, 0]) for name in pair}


@sabotage("lavea.stale_sttf")
def reads_reports():
    """STTF that avoids neighbours reported busy suffers when reports are old."""
    old, new = (study.placement_study({"": nearest_free}, (3.5,), (0,), period, 300.0)[""] for period in (30.0, 1.0))
    return float(old[0, 0] / new[0, 0])


@sabotage("lavea.city")
def trusts_the_transmission_alone():
    """SSLF without the wait is STTF, and herds."""
    pair = {"SSLF": schemes.shortest_transmission, "SQLF": schemes.shortest_queue}
    return city.against_best_other(city.run_city(generated_city(0, 20, 130), 0, 100.0, pair))


@sabotage("lavea.trace_saving")
def chosen_once_for_the_best_moment():
    """A selection made once, for the highest rate, and kept when the rate falls."""
    trace = synthetic_trace(0, high=40e6)
    run = city.follow_trace(trace, period=60.0)
    best = study.selection_problem(city.CAMERA_PIXELS, city.CAMERAS, run.rate.max())
    kept = selection.relaxed_selection(best)
    problems = [study.selection_problem(city.CAMERA_PIXELS, city.CAMERAS, rate) for rate in run.rate]
    total = sum(float(selection.total_response(problem, kept)) for problem in problems)
    return total / min(run.all_local.sum(), run.all_edge.sum())
