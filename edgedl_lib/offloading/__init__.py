"""Survey VI: where a network runs, in the survey's four modes, and what a platform can carry.

``integral`` and ``partial`` offloading (VI-B-1, VI-B-2), ``vertical`` and ``horizontal``
collaboration (VI-B-3, VI-B-4);
``modes`` puts the four side by side on one workload, and ``platform`` evaluates an edge platform (VI-A, VI-D).
"""
