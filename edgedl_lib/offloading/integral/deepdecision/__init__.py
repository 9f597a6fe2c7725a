"""DeepDecision (Ran et al. 2018 [172]): where to run a detector on video, and on which video."""
