"""Evaluation of an edge platform (survey II-B, VI-A, VI-D): accelerators, fixed point, scores, anchors.

Every module answers one question with pure functions and small results; published figures stand in ``data/`` and are
read through :mod:`~edgedl_lib.offloading.platform.facts`.
"""
