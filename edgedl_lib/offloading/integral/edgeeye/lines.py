"""Bounded lines of frames, one per pipeline, that drop the oldest: a video service that is late skips frames."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import Any


class Lines:
    """Lines that one worker empties and several writers fill.

    A line is opened under a key and holds at most `length` items; one more pushes the oldest out.  The worker takes
    items from all lines in turn, so that a fast stream cannot starve a slow one, and sleeps while all are empty.

    Examples
    --------
    >>> lines = Lines(length=2)
    >>> lines.open("a")
    >>> [lines.put("a", number) for number in range(3)]
    [True, True, False]
    >>> lines.take(largest=8)
    [('a', 1), ('a', 2)]
    """

    def __init__(self, length: int) -> None:
        if length < 1 or length != int(length):
            raise ValueError(f"a line holds a whole number of at least one item, not {length}")
        self.length = length
        self.wake_ups = 0  # how often the worker had to look: shows a busy loop
        self._lines: dict[Any, deque] = {}
        self._changed = Condition()
        self._closed = False

    def open(self, key: Any) -> None:
        """Add an empty line."""
        with self._changed:
            self._lines[key] = deque(maxlen=self.length)

    def put(self, key: Any, item: Any) -> bool:
        """Append an item; False if the oldest one had to go, or the line is gone."""
        with self._changed:
            line = self._lines.get(key)
            if line is None:
                return False
            kept = len(line) < self.length
            line.append(item)
            self._changed.notify()
            return kept

    def take(self, largest: int) -> list[tuple[Any, Any]]:
        """Up to `largest` items, one of each line in turn; sleeps while there is none; empty once closed."""
        with self._changed:
            while not self._closed and not any(self._lines.values()):
                self._changed.wait()
                self.wake_ups += 1
            return [] if self._closed else self._in_turn(largest)

    def _in_turn(self, largest: int) -> list[tuple[Any, Any]]:
        taken: list[tuple[Any, Any]] = []
        while len(taken) < largest and any(self._lines.values()):
            key = next(iter(self._lines))
            line = self._lines.pop(key)
            self._lines[key] = line  # served: behind all others
            if line:
                taken.append((key, line.popleft()))
        return taken

    def remove(self, key: Any) -> int:
        """Take a line away; returns how many items it still held."""
        with self._changed:
            return len(self._lines.pop(key, ()))

    def close(self) -> None:
        """Wake the worker for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
