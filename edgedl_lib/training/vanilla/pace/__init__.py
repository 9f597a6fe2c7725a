"""Pace steering: how millions of devices take turns (Bonawitz et al. 2019 [199])."""
