"""Factored layers: low rank, separable, Tucker and sparse codes, and what their kernels cost."""
