"""Structured and sketched updates: learn in a small space, or learn fully and encode (Konecny et al. 2016 [203])."""
