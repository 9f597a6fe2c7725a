"""Survey VII: training at the edge, federated and distributed.

``vanilla`` (VII-B), ``communication`` (VII-C), ``resources`` (VII-D) and ``security`` (VII-E) hold the systems, each
written as the one step in which it differs from federated averaging; ``codecs`` makes updates small, ``wireless`` says
what it costs to send them.  The engine that runs them on Flower stands in this folder itself.
"""
