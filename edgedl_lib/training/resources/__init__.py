"""Resource-optimised federated learning (survey VII-D): clients, radio and energy decided together."""
