"""Figures of the chapters on federated learning."""
