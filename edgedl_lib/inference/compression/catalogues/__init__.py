"""Variants of a network under budgets: MCDNN."""
