"""One simulator for all offloading modes, event by event on SimPy.

Read ``parts`` first: a `Processor` computes, a `Channel` carries bytes, and a method can be written on them directly.
``scenario`` describes a whole system as data (a TOML file, or Python), and ``run`` plays it: ``simulate(scenario,
seed)``.
"""

from edgedl_lib.system.simulator.measure import ScenarioRun, Usage
from edgedl_lib.system.simulator.network import NoRoute
from edgedl_lib.system.simulator.parts import (
    Channel,
    DeviceLeft,
    LineFull,
    LinkDown,
    PartFailed,
    Processor,
    Service,
    Transfer,
)
from edgedl_lib.system.simulator.run import simulate
from edgedl_lib.system.simulator.scenario import (
    Application,
    Connection,
    Failure,
    Scenario,
    ScenarioError,
    Station,
    Task,
    Workload,
    changed,
    load_scenario,
    parse_scenario,
    scenario_text,
)
from edgedl_lib.system.simulator.shipped import shipped_names, shipped_path, shipped_scenario
from edgedl_lib.system.simulator.stability import UnstableQueue, offered_loads, require_stable

__all__ = [
    "Application",
    "Channel",
    "Connection",
    "DeviceLeft",
    "Failure",
    "LineFull",
    "LinkDown",
    "NoRoute",
    "PartFailed",
    "Processor",
    "Scenario",
    "ScenarioError",
    "ScenarioRun",
    "Service",
    "Station",
    "Task",
    "Transfer",
    "UnstableQueue",
    "Usage",
    "Workload",
    "changed",
    "load_scenario",
    "parse_scenario",
    "offered_loads",
    "require_stable",
    "scenario_text",
    "shipped_names",
    "shipped_path",
    "shipped_scenario",
    "simulate",
]
