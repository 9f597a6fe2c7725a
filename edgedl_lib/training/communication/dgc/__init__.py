"""Deep Gradient Compression (Lin et al. 2018 [191], survey VII-A): a thousandth of the gradient is sent, none is lost."""
