"""Adaptive control of the aggregation period under a budget (Wang et al. 2018 and 2019 [208], [209])."""
