"""What is measured on the machine at hand: rates, int8 kernels, loading, training steps, latency models.

Every module here times real code. The closed-form models of the same questions stand one folder up.
"""
