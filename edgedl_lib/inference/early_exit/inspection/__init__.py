"""DeepIns: inspection of products on assembly lines, split over fog nodes and a server (Li et al. 2018 [113])."""
