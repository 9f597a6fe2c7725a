"""LAVEA (Yi et al. 2017 [106]): which tasks a client offloads, in which order the edge serves, and which edge helps.

``frames`` and ``speedups`` say what a job is and what the edge buys; ``selection`` decides what leaves the client,
``flow_shop`` orders uploads, ``placement`` shares jobs between edge nodes by the schemes of ``schemes``.
"""
