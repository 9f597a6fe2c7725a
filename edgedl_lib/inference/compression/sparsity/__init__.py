"""Fewer weights: masks, retraining, sensitivity, filters and what zeros save in time."""
