"""Survey VI: where a network runs and what a platform can carry; the evaluation of a platform is in ``platform``."""
