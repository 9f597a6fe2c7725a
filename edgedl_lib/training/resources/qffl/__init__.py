"""q-FFL (Li et al. 2020 [221]): devices that are served badly count more, the more so the larger q."""
