"""One bit a weight: BinaryConnect, XNOR-Net, ternary weights and embedded binarised networks."""
