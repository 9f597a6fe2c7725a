"""Averages that a few poisoned updates cannot move: SLSGD's trimmed mean, the median, Krum (Xie et al. 2019 [201])."""
