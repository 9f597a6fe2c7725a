"""Small networks that a large one teaches or a compressor cuts out: distillation, hints, DeepIoT."""
