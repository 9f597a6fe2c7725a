"""Drawing for the compression chapter: results and axes in, nothing computed."""
