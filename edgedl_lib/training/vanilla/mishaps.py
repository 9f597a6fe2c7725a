"""Clients that fail on purpose: what a server must survive."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgedl_lib.training.exchange import from_record, to_record
from edgedl_lib.training.flower import ClientApp, ConfigRecord, Message
from edgedl_lib.training.task import Task, client_app

MISHAPS = ("raises", "not a number", "another's name", "another shape", "no reply")


def client_app_with_mishaps(task: Task, mishaps: Mapping[int, str]) -> ClientApp:
    """The clients' application, with a mishap for some of them.

    Parameters
    ----------
    mishaps : mapping of int to str
        Number of a client to one of ``MISHAPS``.

    Raises
    ------
    ValueError
        An unknown mishap.
    """
    unknown = set(mishaps.values()) - set(MISHAPS)
    if unknown:
        raise ValueError(f"unknown mishaps {sorted(unknown)}; choose among {', '.join(MISHAPS)}")
    honest, app = client_app(task), ClientApp()

    @app.train()
    def train(message: Message, context) -> Message | None:
        kind = mishaps.get(int(context.node_config["partition-id"]))
        if kind == "raises":
            raise RuntimeError("battery empty")
        answer = honest(message, context)
        return answer if kind is None else _spoilt(answer, kind)

    return app


def _spoilt(answer: Message, kind: str) -> Message | None:
    if kind == "no reply":
        return None
    if kind == "another's name":
        who = int(answer.content["client"]["client"])
        answer.content["client"] = ConfigRecord({"client": who + 1})
        return answer
    arrays = from_record(answer.content["arrays"])
    first = next(iter(arrays))
    arrays[first] = arrays[first][1:] if kind == "another shape" else np.full_like(arrays[first], np.nan)
    answer.content["arrays"] = to_record(arrays)
    return answer
