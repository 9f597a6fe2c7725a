"""IONN (Jeong et al. 2018 [175]): a network moves to a server that has never seen it, piece by piece."""
