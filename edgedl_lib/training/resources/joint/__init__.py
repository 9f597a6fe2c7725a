"""Who sends on which resource block, so that learning suffers least (Chen et al. 2019 [220])."""
