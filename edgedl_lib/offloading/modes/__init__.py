"""The four modes of the survey on one and the same workload."""
