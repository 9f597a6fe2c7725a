"""The partitioning systems of survey section V-B, set up as their papers did: each module is one experiment.

Every function is pure: it takes an experiment's description and returns frozen results; nothing here draws or records.
"""
