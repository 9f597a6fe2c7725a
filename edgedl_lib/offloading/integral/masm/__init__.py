"""MASM (Zhang et al. 2019 [173]): one task, several algorithms on a cloudlet, and who gets how much of both."""
