"""BlockFL: federated learning without a server, its updates in a chain of blocks (Kim et al. 2020 [223])."""

from edgedl_lib.training.security.blockchain.setting import Setting, letter_setting

__all__ = ["Setting", "letter_setting"]
