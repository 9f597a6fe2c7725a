"""Timing of rivals in turn; it lives with the system's models, because every chapter that times something needs it."""

from edgedl_lib.system.timing import Timing, measure_in_turn, ratio_in_turn

__all__ = ["Timing", "measure_in_turn", "ratio_in_turn"]
