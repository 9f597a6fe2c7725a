"""The one place that imports Flower (flwr 1.41) and knows what of its internals we rely on.

Everything else of this package takes Flower's names from here.  Before the import, telemetry and update checks are
switched off, so that nothing leaves the machine.  A message can only be made by a process that has an identity;
Flower's engines give one to their processes, :func:`ensure_identity` gives one to ours.
"""

import functools
import io
import logging
import os
import tempfile

import numpy as np

OFFLINE = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "FLWR_HOME": os.path.join(tempfile.gettempdir(), "edgedl-flower"),  # Flower writes an installation id there
}
for name, value in OFFLINE.items():
    os.environ.setdefault(name, value)

from flwr.app import (  # noqa: E402  the environment decides what the import does
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Error,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp  # noqa: E402
from flwr.serverapp import Grid, ServerApp  # noqa: E402
from flwr.serverapp.strategy import QFedAvg as FlowerQFedAvg  # noqa: E402
from flwr.serverapp.strategy import Strategy  # noqa: E402
from flwr.supercore.task_identity import TaskIdentity  # noqa: E402

__all__ = [
    "Array",
    "ArrayRecord",
    "ClientApp",
    "ConfigRecord",
    "Context",
    "Error",
    "FlowerQFedAvg",
    "Grid",
    "Message",
    "MessageType",
    "MetricRecord",
    "RecordDict",
    "ServerApp",
    "Strategy",
    "copied",
    "ensure_identity",
    "name_message",
    "quiet",
    "read_array",
    "written_array",
]

SERVER_NODE = 1  # Flower's own number of the server in a simulation
SERVER_RUN = 1
SERIALISATION = "numpy.ndarray"  # Flower's name for the bytes of a .npy file
CLIENT_FAILED = 1  # error code of a reply: the client application raised


def ensure_identity() -> None:
    """Give this process an identity if no engine of Flower has done so; without one no message can be made."""
    for attribute, number in (("task_id", 1), ("run_id", SERVER_RUN), ("node_id", SERVER_NODE)):
        try:
            getattr(TaskIdentity, attribute)
        except RuntimeError:
            setattr(TaskIdentity, attribute, number)


def name_message(message: Message, identifier: str) -> None:
    """Give a message the identifier that a SuperLink would give it."""
    message.metadata.__dict__["_message_id"] = identifier


def copied(content: RecordDict) -> RecordDict:
    """A copy that its reader may edit without anybody else seeing it.

    The bytes of the arrays are shared, because bytes cannot be edited; everything around them is new.
    """
    return RecordDict({name: _copied_record(record) for name, record in content.items()})


def _copied_record(record):
    if isinstance(record, ArrayRecord):
        return ArrayRecord(
            {name: Array(each.dtype, each.shape, each.stype, each.data) for name, each in record.items()}
        )
    return type(record)({name: list(each) if isinstance(each, list) else each for name, each in record.items()})


def written_array(values: np.ndarray) -> Array:
    """``Array(values)``, byte for byte, without writing the same header anew for every message.

    Flower keeps an array as the bytes of a .npy file.  Its constructor goes through ``numpy.save`` and its reader
    through ``numpy.load``, which parses the header as a Python expression: for small models that costs more than
    training does.
    """
    values = np.asarray(values, order="C")  # keeps a scalar a scalar
    return Array(
        str(values.dtype), values.shape, SERIALISATION, _npy_header(values.dtype, values.shape) + values.tobytes()
    )


def read_array(array: Array) -> np.ndarray:
    """``array.numpy()``: a new array of the values."""
    header = _npy_header(np.dtype(array.dtype), array.shape)
    if array.stype != SERIALISATION or not array.data.startswith(header):
        return array.numpy()
    return np.frombuffer(array.data, array.dtype, offset=len(header)).reshape(array.shape).copy()


@functools.lru_cache(maxsize=1024)
def _npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


def quiet(level: int = logging.WARNING) -> None:
    """Flower reports every step on standard error; show only what is at least this serious."""
    logging.getLogger("flwr").setLevel(level)
