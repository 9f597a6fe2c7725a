"""What a model tells about the people it was trained on: inversion, before and after protection (survey VII-A, VII-B)."""
