"""Vanilla federated learning (survey VII-B): averaging, and the system that carries it to millions of devices."""
