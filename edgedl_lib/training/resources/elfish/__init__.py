"""ELFISH (Xu et al. 2019 [218]): stragglers train a part of the neurons, another one in every cycle."""
