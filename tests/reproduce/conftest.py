"""Fixtures of the pipeline's tests."""

from tests.reproduce.mini import mini_project

__all__ = ["mini_project"]
