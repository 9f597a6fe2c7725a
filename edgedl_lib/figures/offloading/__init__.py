"""Figures of the chapters on offloading and collaboration."""
