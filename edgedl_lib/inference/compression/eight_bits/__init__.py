"""Eight bits a number: rounding after and during training, integer arithmetic, ONNX Runtime."""
