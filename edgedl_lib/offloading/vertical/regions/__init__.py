"""Regions of interest before detection (Ren et al. 2018 [102]): the camera spends its bytes where objects may be.

The magazine article prints no algorithm that we have seen; what stands here is reconstructed.  A camera finds regions
by edges and by the boxes that came back for the last frame, and quantises the rest more coarsely; the edge detects; a
frame of which the edge is unsure goes on to the cloud.
"""
