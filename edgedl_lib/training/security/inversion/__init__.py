"""What a model tells about those it was trained on: inversion, before and after protection (survey VII-A, VII-B)."""
