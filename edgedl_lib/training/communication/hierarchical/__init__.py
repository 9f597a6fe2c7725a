"""Hierarchical federated learning over cellular networks (Abad et al. 2020 [202], survey VII-C, Table VI)."""
