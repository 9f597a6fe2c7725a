"""Models that may answer before their last layer (survey V-C)."""
