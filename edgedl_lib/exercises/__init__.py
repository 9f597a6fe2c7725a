"""Checks of the exercises: each takes the learner's own object and answers with a hint.

A check returns a small result whose text says what was tried, or raises ``AssertionError`` with a hint that fits the
mistake, so that a grader sees the same answer as a reader.
"""
