"""Scenarios as data: the shipped files, what is written comes back, and what every mistake is answered."""

from pathlib import Path

import pytest

from edgedl_lib.system.simulator import (
    Application,
    Scenario,
    ScenarioError,
    Station,
    Task,
    UnstableQueue,
    Workload,
    changed,
    load_scenario,
    offered_loads,
    require_stable,
    scenario_text,
    simulate,
)

FILES = sorted((Path(__file__).parents[2] / "data/scenarios").glob("*.toml"))

GOOD = """
name = "test"
duration = 10.0

[[stations]]
name = "phone"

[[stations]]
name = "edge"
level = "edge"

[[stations]]
name = "island"

[[connections]]
name = "wifi"
stations = ["phone", "edge"]
rate = 1e6

[[applications]]
name = "app"
source = "phone"
input_bytes = 1000

[[applications.tasks]]
name = "first"
seconds = 0.1
output_bytes = 10

[[applications.tasks]]
name = "second"
after = ["first"]
seconds = 0.2

[applications.placement]
first = "phone"
second = "edge"

[[workloads]]
application = "app"
kind = "poisson"
rate = 1.0
"""

FAILURE = '\n[[failures]]\nwhat = "edge"\nat = 5.0\n'

#: What is replaced in the good file, by what, and what the error says.
MISTAKES = {
    "missing field": ("rate = 1e6", "", "connections 'wifi', rate is missing"),
    "missing name": ('name = "phone"', "", "stations 'number 1', name is missing: add it"),
    "missing duration": ("duration = 10.0", "", "this file, duration is missing"),
    "unknown field": ("rate = 1e6", "rate = 1e6\nspeed = 3", "connections 'wifi', speed = 3: no such field; known are"),
    "unknown top field": ("duration = 10.0", "duration = 10.0\nseed = 3", "this file, seed = 3: no such field"),
    "unknown task field": ("seconds = 0.1", "seconds = 0.1\nlayers = 3", "applications 'app', a task, layers = 3"),
    "wrong type": ("rate = 1e6", 'rate = "fast"', "connections 'wifi', rate = 'fast': give zero or a positive number"),
    "text for a flag": ("duration = 10.0", 'duration = 10.0\nsteady_state = "yes"', "steady_state = 'yes': write true"),
    "true for a number": ("duration = 10.0", "duration = true", "duration = True: give a positive number"),
    "negative rate": ("rate = 1e6", "rate = -1e6", "connections 'wifi', rate = -1000000.0: give zero or a positive"),
    "negative arrivals": ("rate = 1.0", "rate = -1.0", "workloads for 'app', rate = -1.0: give a positive number"),
    "nan": ("rate = 1.0", "rate = nan", "workloads for 'app', rate = nan: give a positive number"),
    "nan bandwidth": ("rate = 1e6", "rate = nan", "connections 'wifi', rate = nan"),
    "infinite time": ("duration = 10.0", "duration = inf", "duration = inf: give a positive number"),
    "cycle": ("seconds = 0.1", 'seconds = 0.1\nafter = ["second"]', "after = 'first -> second -> first'.*circle"),
    "waits for itself": ('after = ["first"]', 'after = ["second"]', "'second -> second'"),
    "unknown station": ('second = "edge"', 'second = "mars"', "placement.second = 'mars': no such station; there are"),
    "unknown source": ('source = "phone"', 'source = "mars"', "applications 'app', source = 'mars': no such station"),
    "unknown end": ('["phone", "edge"]', '["phone", "mars"]', "connections 'wifi', stations = 'mars'"),
    "unknown task": ('after = ["first"]', 'after = ["zero"]', "task 'second', after = 'zero': no such task"),
    "placed but not there": ('second = "edge"', 'second = "edge"\nthird = "edge"', "placement = 'third': no such task"),
    "not placed": ('second = "edge"', "", "placement.second is missing: say on which station it runs"),
    "unknown application": ('application = "app"', 'application = "game"', "application = 'game': no such application"),
    "no route": ('second = "edge"', 'second = "island"', "no route from 'phone' to 'island': add a connection"),
    "failure of nothing": (
        "rate = 1.0",
        "rate = 1.0" + FAILURE.replace("edge", "mars"),
        "what = 'mars': no such station",
    ),
    "failure ends early": ("rate = 1.0", "rate = 1.0" + FAILURE + "until = 4.0", "until = 4.0: give a time after at"),
    "no workload": (
        '[[workloads]]\napplication = "app"\nkind = "poisson"\nrate = 1.0',
        "",
        "workloads is missing: add",
    ),
    "empty recording": ('kind = "poisson"\nrate = 1.0', 'kind = "recorded"\ntimes = []', "needs at least one arrival"),
    "late recording": ('kind = "poisson"\nrate = 1.0', 'kind = "recorded"\ntimes = [20.0]', "no arrival lies between"),
    "unsorted": (
        'kind = "poisson"\nrate = 1.0',
        'kind = "recorded"\ntimes = [2.0, 1.0]',
        "finite, not negative and sorted",
    ),
    "no times": (
        'kind = "poisson"\nrate = 1.0',
        'kind = "recorded"\nrate = 1.0',
        "times is missing: recorded arrivals",
    ),
    "no rate": ('kind = "poisson"\nrate = 1.0', 'kind = "periodic"', "rate is missing: periodic arrivals need it"),
    "unknown kind": (
        'kind = "poisson"',
        'kind = "bursts"',
        "kind = 'bursts': use one of 'poisson', 'periodic', 'recorded'",
    ),
    "ends late": ("rate = 1.0", "rate = 1.0\nend = 11.0", "end = 11.0: start < end <= duration = 10.0 must hold"),
    "starts late": ("rate = 1.0", "rate = 1.0\nstart = 10.0", "start = 10.0: start < end"),
    "long warm-up": ("duration = 10.0", "duration = 10.0\nwarm_up = 10.0", "warm_up = 10.0: give less than duration"),
    "name twice": ('name = "island"', 'name = "edge"', "stations 'edge', name = 'edge': names differ"),
    "an application called like a station": (
        'name = "app"',
        'name = "edge"',
        "applications 'edge', name = 'edge': a station or connection has that name",
    ),
    "one name for two": (
        'name = "wifi"',
        'name = "edge"',
        "connections 'edge', name = 'edge': a station has that name",
    ),
    "task twice": ('name = "second"', 'name = "first"', r"tasks = \['first', 'first'\]: names of tasks must differ"),
    "no work": ("seconds = 0.1", "", "tasks 'first', seconds = None: give the work once: seconds or flop"),
    "work twice": ("seconds = 0.1", "seconds = 0.1\nflop = 1.0", "give the work once"),
    "no speed": ("seconds = 0.1", "flop = 1e9", "flop = 1000000000.0: station 'phone' needs flop_per_s"),
    "seconds elsewhere": ("seconds = 0.1", "seconds = {edge = 0.1}", "add the seconds on 'phone', where it may run"),
    "no slots": (
        'name = "phone"',
        'name = "phone"\nslots = 0',
        "stations 'phone', slots = 0: give a whole number of at",
    ),
    "half a slot": ('name = "phone"', 'name = "phone"\nslots = 1.5', "slots = 1.5: give a whole number"),
    "unknown level": (
        'level = "edge"',
        'level = "fog"',
        "stations 'edge', level = 'fog': use one of 'end', 'edge', 'cloud'",
    ),
    "probability": (
        "seconds = 0.2",
        "seconds = 0.2\nprobability = 1.2",
        "probability = 1.2: give a number between 0 and 1",
    ),
    "one end": ('["phone", "edge"]', '["phone"]', "at least 2 different names"),
    "empty trace": (
        "rate = 1e6",
        "trace = {time = [], rate = []}",
        "connections 'wifi', trace = .* at least one sample",
    ),
    "trace without file": ("rate = 1e6", 'trace = {file = "no.csv", name = "x"}', "no trace file"),
    "trace and rate": ("rate = 1e6", "rate = 1e6\ntrace = {time = [0], rate = [1]}", "give rate or trace, not both"),
    "late trace": ("rate = 1e6", "trace = {time = [1.0], rate = [1.0]}", "a trace begins at time 0"),
    "arrivals without file": ('kind = "poisson"\nrate = 1.0', 'kind = "recorded"\nfile = "no.csv"', "a column time_s"),
    "broken syntax": ("duration = 10.0", "duration = = 10.0", "this file, TOML = .*: mend the syntax"),
    "no tables": ('name = "test"', 'name = "test"\nfailures = 3', r"begin each entry with \[\[failures\]\]"),
}


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_scenarios_run_and_come_back_as_written(path, write):
    scenario = load_scenario(path)
    again = load_scenario(write(scenario_text(scenario)))
    assert scenario_text(again) == scenario_text(scenario)
    shorter = [changed(each, "duration", each.duration / 10) for each in map(_without_events, (scenario, again))]
    first, second = (simulate(each, seed=3) for each in shorter)
    assert len(first.arrival) > 10 and first.lost_share() == 0
    assert first.left.tobytes() == second.left.tobytes() and first.usage == second.usage


def _without_events(scenario):
    """The scenario without what happens late, so that a tenth of it can be run."""
    scenario = changed(changed(scenario, "failures", ()), "warm_up", 0.0)
    kept = tuple(workload for workload in scenario.workloads if workload.kind != "recorded")
    return changed(scenario, "workloads", kept)


def test_one_file_per_mode():
    assert {"integral", "partial", "vertical", "horizontal"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_with_file_place_value_and_remedy(name, write):
    old, new, message = MISTAKES[name]
    assert old in GOOD
    with pytest.raises(ScenarioError, match=message) as caught:
        load_scenario(write(GOOD.replace(old, new, 1)))
    text = str(caught.value)
    assert text.startswith("mine.toml: ") and "\n" not in text
    assert caught.value.file == "mine.toml" and caught.value.remedy in text


def test_the_good_file_is_good(write):
    assert simulate(load_scenario(write(GOOD + FAILURE)), seed=0).lost.any()


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"no scenario file nowhere.toml: give the path"):
        load_scenario("nowhere.toml")


def test_files_beside_the_scenario(write, tmp_path):
    (tmp_path / "lte.csv").write_text("trace,time_s,throughput_mbps\nbus,5,1\nbus,6,2\n")
    (tmp_path / "arrivals.csv").write_text("time_s\n1.5\n2.5\n")
    text = GOOD.replace("rate = 1e6", 'trace = {file = "lte.csv", name = "bus"}')
    text = text.replace('kind = "poisson"\nrate = 1.0', 'kind = "recorded"\nfile = "arrivals.csv"')
    scenario = load_scenario(write(text))
    assert scenario["wifi"].rate.rate.tolist() == [1e6, 2e6]
    assert simulate(scenario).arrival.tolist() == [1.5, 2.5]


def tiny(**options):
    arguments = {
        "name": "tiny",
        "stations": [Station("server", slots=2)],
        "applications": [Application("app", "server", [Task("work", seconds=1.0)], {"work": "server"})],
        "workloads": [Workload("app", "poisson", rate=1.0)],
        "duration": 50.0,
    }
    return Scenario(**(arguments | options))


def test_python_objects_pass_the_same_checks():
    with pytest.raises(ScenarioError, match=r"^stations 'server', slots = 0: give a whole number"):
        Station("server", slots=0)
    with pytest.raises(ScenarioError, match=r"^workloads for 'other', application = 'other': no such application"):
        tiny(workloads=[Workload("other", "poisson", rate=1.0)])
    with pytest.raises(ScenarioError, match="stations is missing"):
        tiny(stations=[])
    with pytest.raises(ScenarioError, match="tasks is missing"):
        Application("app", "server")
    with pytest.raises(ScenarioError, match="placement = 'server': give a table"):
        Application("app", "server", [Task("work", seconds=1.0)], "server")


def test_changed_replaces_one_value():
    scenario = changed(tiny(), "stations.server.slots", 4)
    assert scenario["server"].slots == 4 and tiny()["server"].slots == 2
    assert changed(scenario, "workloads.app.rate", 3.0).workloads[0].rate == 3.0
    assert changed(scenario, "duration", 5).duration == 5.0
    for path in ("stations.mars.slots", "stations.server.speed", "planets.mars.slots", "speed"):
        with pytest.raises(ScenarioError, match=path.replace(".", r"\.")):
            changed(scenario, path, 1)
    with pytest.raises(ScenarioError, match="slots = -1"):
        changed(scenario, "stations.server.slots", -1)


@pytest.mark.parametrize("rate", [2.0, 3.0])
def test_a_steady_state_needs_a_load_below_one(rate):
    scenario = changed(tiny(steady_state=True), "workloads.app.rate", rate)
    with pytest.raises(UnstableQueue, match=rf"'server' has no steady state at load {rate / 2:.3g}") as caught:
        simulate(scenario)
    assert caught.value.name == "server" and caught.value.load == rate / 2
    assert len(simulate(changed(scenario, "steady_state", False)).arrival) > 50  # an explosion may be looked at


def test_loads_of_shipped_scenarios_are_those_of_long_runs():
    for path in FILES:
        scenario = changed(load_scenario(path), "failures", ())
        if path.stem in ("contention", "queue"):
            continue
        run, loads = simulate(scenario, seed=1), offered_loads(scenario)
        for station in scenario.stations:
            if path.stem != "horizontal":  # there the least loaded is chosen, not the most even spread
                assert run.utilisation(station.name) == pytest.approx(loads[station.name], rel=0.1, abs=0.005)


def test_load_of_candidates_is_spread():
    stations = [Station("slow"), Station("fast")]
    application = Application(
        "app", "slow", [Task("work", seconds={"slow": 2.0, "fast": 1.0})], {"work": ["slow", "fast"]}
    )
    loads = require_stable(tiny(stations=stations, applications=[application]))
    assert loads == pytest.approx({"slow": 2 / 3, "fast": 2 / 3})


def test_load_of_a_connection(write):
    scenario = load_scenario(write(GOOD.replace("output_bytes = 10", "output_bytes = 250_000")))
    with pytest.raises(UnstableQueue, match="'wifi' has no steady state at load 2"):
        require_stable(scenario)
    dead = changed(scenario, "connections.wifi.rate", 0.0)
    assert offered_loads(dead)["wifi"] == float("inf")


def test_load_of_tiles_on_a_connection(write):
    tiles = GOOD.replace("seconds = 0.2", "seconds = 0.2\ncopies = 3\ninput_bytes = 500").replace(
        "input_bytes = 1000", "input_bytes = 1000\nresult_bytes = 100"
    )
    assert offered_loads(load_scenario(write(tiles)))["wifi"] == pytest.approx(8 * 3 * (500 + 100) / 1e6)


def test_load_of_results_counts_where_jobs_end(write):
    exits = GOOD.replace("seconds = 0.2", "seconds = 0.2\nprobability = 0.25").replace(
        "input_bytes = 1000", "input_bytes = 1000\nresult_bytes = 400"
    )
    assert offered_loads(load_scenario(write(exits)))["wifi"] == pytest.approx(8 * 0.25 * (10 + 400) / 1e6)


def test_load_of_a_chain_with_exits_counts_who_gets_there():
    tasks = [
        Task("first", seconds=0.1),
        Task("second", seconds=1.0, after=["first"], probability=0.5),
        Task("third", seconds=1.0, after=["second"], probability=0.5),
    ]
    application = Application("app", "server", tasks, dict.fromkeys(("first", "second", "third"), "server"))
    assert offered_loads(tiny(applications=[application]))["server"] == pytest.approx((0.1 + 0.5 + 0.25) / 2)
