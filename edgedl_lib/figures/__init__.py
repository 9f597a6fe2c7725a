"""Drawing: each function takes a result of the library and an ``Axes``.

Figures stand apart from the methods, one folder a chapter; they know the book's style and what they draw, and nothing
imports them but notebooks.
"""
