"""Smaller and cheaper models: pruning, sharing, quantisation, low rank, compact filters, distillation (survey V-A)."""
