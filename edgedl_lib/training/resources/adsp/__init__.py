"""ADSP (Hu et al. 2020 [211]): nobody waits, and everybody commits equally often."""
