"""Real processes that share the work of one network over shaped loopback sockets, and survive the loss of some.

Workers start in milliseconds as forks of a `Nursery`; N equal `Workers` take tasks from a `Coordinator`, stations of a
`Chain` hand on to one another.  All of them share this machine: a slower device works and then rests, which overlaps as
several real devices would even on two cores.
"""

from edgedl_lib.offloading.cluster.batch import Attempt, Batch, BatchError, Loss, NoWorkerLeft, Task, TaskRefused
from edgedl_lib.offloading.cluster.chain import Chain, ChainResult, Station
from edgedl_lib.offloading.cluster.coordinator import Coordinator
from edgedl_lib.offloading.cluster.peer import Answer, Peer, WorkerRefused
from edgedl_lib.offloading.cluster.processes import Nursery, WorkerProcess, WorkerStartError, shared_nursery
from edgedl_lib.offloading.cluster.worker_setup import Forward, Setup
from edgedl_lib.offloading.cluster.workers import Workers

__all__ = [
    "Answer",
    "Attempt",
    "Batch",
    "BatchError",
    "Chain",
    "ChainResult",
    "Coordinator",
    "Forward",
    "Loss",
    "NoWorkerLeft",
    "Nursery",
    "Peer",
    "Setup",
    "Station",
    "Task",
    "TaskRefused",
    "WorkerProcess",
    "WorkerRefused",
    "WorkerStartError",
    "Workers",
    "shared_nursery",
]
