"""Inference at the edge (survey V): compression, partitioning, early exit, sharing of computation."""
