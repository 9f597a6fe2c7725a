"""Figures of the hardware chapter: each function draws one result into the axes that it is given."""
