"""MoDNN: a trained network spread layer by layer over nearby phones (Mao et al. 2017 [177], survey VI-B-4, Table V)."""
