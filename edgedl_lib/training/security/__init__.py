"""Security-enhanced federated learning (survey VII-E): poisoned updates, private updates, no trusted server."""
