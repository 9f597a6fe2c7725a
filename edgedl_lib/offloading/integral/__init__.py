"""Integral offloading (survey VI-B-1): the whole network moves, and what is chosen is where, when and how well."""
