"""Communication-efficient training (survey VII-A, VII-C): fewer, smaller or cheaper updates."""
