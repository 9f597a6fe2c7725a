"""Astraea: rare classes augmented, clients grouped so that each group is balanced (Duan et al. 2019 [212])."""
