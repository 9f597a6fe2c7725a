"""DeepCham: neighbours adapt a generic model to the place they share (Li et al. 2016 [104], survey IV-A, Table V)."""
