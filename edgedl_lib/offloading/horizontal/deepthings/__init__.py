"""DeepThings (Zhao et al. 2018 [156]): tiles of fused layers as tasks that idle devices steal."""
