"""The channel as the adder: model aggregation on the air (Zhu et al. 2018 [217]; Yang et al. 2018 [214])."""
