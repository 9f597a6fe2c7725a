"""Figures of the partitioning chapter: each function draws one result into the axes that it is given."""
