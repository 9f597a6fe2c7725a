"""Horizontal collaboration (survey VI-B-4): peers of one level share the work of one network."""
