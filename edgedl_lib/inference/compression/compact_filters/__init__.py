"""Networks that are built small: separable, grouped, squeezed and residual blocks."""
