"""Vertical collaboration (survey VI-B-3): end, edge and cloud each do the part that suits them."""
