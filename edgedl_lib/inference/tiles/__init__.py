"""Fused layers run tile by tile: exact geometry (no torch), real execution, reuse of what neighbours computed."""
