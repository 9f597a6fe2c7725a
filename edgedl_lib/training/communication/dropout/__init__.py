"""Lossy download, Federated Dropout and Kashin's representation (Caldas et al. 2018 [205], Kashin 1977 [206])."""
