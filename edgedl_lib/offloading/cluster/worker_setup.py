"""What one worker is told before its first task, as text that crosses a socket."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields

from edgedl_lib.inference.split.pace import checked_slowdown


@dataclass(frozen=True)
class Forward:
    """Where a worker sends its output instead of answering itself.

    Attributes
    ----------
    port : int
        Of the next worker, on this machine.
    rate : float
        Of the link to it, bit/s.
    name : str
        For people.
    """

    port: int
    rate: float
    name: str = "the next station"


@dataclass(frozen=True)
class Setup:
    """What a worker computes, how slow it is, and over which links it sends.

    Attributes
    ----------
    program : str
        A name in `programs.PROGRAMS`.
    options : dict
        Of the program: names, numbers and lists.
    slowdown : float
        How many times slower the device is than this machine.
    reply_rate : float
        bit/s of the link that carries its answers; infinite for answers of a few numbers.
    forward : Forward, optional
        The next station of a chain; its answer is handed back.

    Examples
    --------
    >>> one = Setup("layers", {"network": "lenet5"}, slowdown=4.0)
    >>> Setup.from_text(one.to_text()) == one
    True
    """

    program: str
    options: dict[str, object] = field(default_factory=dict)
    slowdown: float = 1.0
    reply_rate: float = math.inf
    forward: Forward | None = None

    def __post_init__(self) -> None:
        checked_slowdown(self.slowdown)

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Setup:
        """Read what `to_text` wrote.

        Raises
        ------
        ValueError
            If the text is not JSON, or a field is missing or unknown.
        """
        try:
            values = json.loads(text)
            forward = values.pop("forward", None)
            return cls(**values, forward=Forward(**forward) if forward else None)
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            known = ", ".join(one.name for one in fields(cls))
            raise ValueError(f"this is no setup ({error}); send a JSON object with the fields {known}") from error
