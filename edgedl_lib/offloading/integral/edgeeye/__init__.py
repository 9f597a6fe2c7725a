"""EdgeEye (Liu et al. 2018 [108]): an edge service that applications ask for tasks, not for tensors."""
