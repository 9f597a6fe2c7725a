"""Deep Gradient Compression (Lin et al. 2018 [191], survey VII-A): a thousandth is sent, nothing is lost."""
