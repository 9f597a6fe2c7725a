"""PruneFL (Jiang et al. 2022 [207], survey VII-C, Table VI): the model shrinks and grows while clients train it."""
