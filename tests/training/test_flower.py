"""What we rely on inside Flower, pinned; a newer release that moves it fails here and nowhere else."""

import subprocess
import sys

import numpy as np
import pytest

from edgedl_lib.training import flower
from edgedl_lib.training.flower import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    RecordDict,
    copied,
    ensure_identity,
    name_message,
    read_array,
    written_array,
)


def test_the_release_is_the_one_whose_internals_are_known():
    from importlib.metadata import version

    assert version("flwr").startswith("1.41")


def test_a_process_gets_the_identity_without_which_no_message_can_be_made():
    program = (
        "from edgedl_lib.training.flower import *\n"
        "try:\n    Message(RecordDict(), 2, MessageType.TRAIN)\n    raise SystemExit(3)\n"
        "except RuntimeError:\n    pass\n"
        "ensure_identity()\n"
        "message = Message(RecordDict(), 2, MessageType.TRAIN)\n"
        "raise SystemExit(message.metadata.run_id - 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_an_identity_that_an_engine_has_given_is_left_alone():
    ensure_identity()
    before = flower.TaskIdentity.run_id
    try:
        flower.TaskIdentity.run_id = 77
        ensure_identity()
        assert flower.TaskIdentity.run_id == 77
    finally:
        flower.TaskIdentity.run_id = before


def test_a_reply_names_the_message_it_answers():
    ensure_identity()
    message = Message(RecordDict(), 2, MessageType.TRAIN)
    name_message(message, "17")
    assert Message(RecordDict(), reply_to=message).metadata.reply_to_message_id == "17"


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array(3, dtype=np.int64),
        np.zeros((0, 4), dtype=np.float32),
        np.arange(9, dtype=np.uint8),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ],
)
def test_our_bytes_of_an_array_are_those_of_flower(values):
    assert written_array(values).numpy().tobytes() == values.tobytes()
    assert Array(np.asarray(values, order="C")).data == written_array(values).data
    assert written_array(values).shape == values.shape
    read = read_array(Array(values))
    assert np.array_equal(read, values) and read.dtype == values.dtype and read.shape == values.shape
    read[...] = 0  # what was read may be edited


def test_an_edited_copy_leaves_the_original_alone():
    record = ArrayRecord({"w": written_array(np.ones(3, np.float32))})
    original = RecordDict({"arrays": record, "config": ConfigRecord({"round": 1, "rates": [0.1, 0.2]})})
    copy = copied(original)
    copy["config"]["round"] = 9
    copy["config"]["rates"].append(0.3)
    copy["arrays"]["w"].data = b""
    del copy["arrays"]["w"]
    assert original["config"]["round"] == 1 and original["config"]["rates"] == [0.1, 0.2]
    assert read_array(original["arrays"]["w"]).tolist() == [1, 1, 1]


def test_nothing_is_sent_home():
    program = (
        "import socket\n"
        "def refuse(*a, **k):\n    raise SystemExit('network')\n"
        "socket.getaddrinfo = refuse\nsocket.socket.connect = refuse\n"
        "import edgedl_lib.training.run, os\n"
        "raise SystemExit(0 if os.environ['FLWR_TELEMETRY_ENABLED'] == '0' else 4)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_package_alone_imports_neither_flower_nor_torch():
    program = "import edgedl_lib.training, sys\nraise SystemExit('flwr' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
