"""VideoEdge (Hung et al. 2018 [109]): plans, placements and merging of video queries over cameras, clusters, a cloud.

``problem`` is the choice of one configuration per query under shared capacities; ``queries`` builds it from cameras and
plans; ``greedy``, ``optimum`` and ``baselines`` solve it; ``pareto`` and ``merging`` change it.
"""
