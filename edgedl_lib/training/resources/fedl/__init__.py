"""FEDL: a surrogate loss, and power, clock and accuracy decided together (Dinh et al. 2019 [219])."""
