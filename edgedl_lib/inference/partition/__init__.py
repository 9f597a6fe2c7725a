"""Where to cut a neural network between end and edge or cloud (survey V-B).

Chains: `scan_cuts`.  Graphs: `min_cut_partition`, `heavy_load_partition`, `dads`.  Costs from a layer graph:
`chain_costs`, `dag_costs`.  Latency models: `NeurosurgeonModel` and its rivals, judged by `decision_regret`.
"""

from edgedl_lib.inference.partition.chain import (
    ALL_DEVICE,
    ALL_SERVER,
    ChainCosts,
    CutScan,
    scan_cuts,
    stage_times,
)
from edgedl_lib.inference.partition.configurations import random_layer_configurations, single_layer_graph
from edgedl_lib.inference.partition.costs import chain_as_dag, chain_costs, dag_costs
from edgedl_lib.inference.partition.dag import (
    DadsDecision,
    dads,
    heavy_load_partition,
    min_cut_partition,
    printed_construction,
    surgery_graph,
    topological_neurosurgeon,
)
from edgedl_lib.inference.partition.dag_plan import DagCosts, DagPlan, evaluate_plan
from edgedl_lib.inference.partition.exhaustive import exhaustive_cuts, exhaustive_partition
from edgedl_lib.inference.partition.random_costs import random_chain_costs, random_dag_costs
from edgedl_lib.inference.partition.regression import (
    FlopModel,
    NeurosurgeonModel,
    RooflineModel,
    TypeMeanModel,
    UnknownLayerType,
)
from edgedl_lib.inference.partition.regret import DecisionRegret, decision_regret
from edgedl_lib.inference.partition.stages import StageTimes

__all__ = [
    "ALL_DEVICE",
    "ALL_SERVER",
    "ChainCosts",
    "CutScan",
    "DadsDecision",
    "DagCosts",
    "DagPlan",
    "DecisionRegret",
    "FlopModel",
    "NeurosurgeonModel",
    "RooflineModel",
    "StageTimes",
    "TypeMeanModel",
    "UnknownLayerType",
    "chain_as_dag",
    "chain_costs",
    "dads",
    "dag_costs",
    "decision_regret",
    "evaluate_plan",
    "exhaustive_cuts",
    "exhaustive_partition",
    "heavy_load_partition",
    "min_cut_partition",
    "printed_construction",
    "random_chain_costs",
    "random_dag_costs",
    "random_layer_configurations",
    "scan_cuts",
    "single_layer_graph",
    "stage_times",
    "surgery_graph",
    "topological_neurosurgeon",
]
