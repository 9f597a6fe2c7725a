"""Drawing for the early-exit chapter: results and axes in, nothing computed."""
