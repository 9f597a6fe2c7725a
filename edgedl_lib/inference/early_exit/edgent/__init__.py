"""Edgent: exit and partition chosen together, under a deadline (Li et al. 2018 [162])."""
