"""DDNN: one network spread over end devices, edge and cloud, with an exit at each level (survey V-C, VI-B3)."""
