"""DeepWear (Xu et al. 2020 [174]): a watch hands a part of the network to the phone that it is paired with."""
