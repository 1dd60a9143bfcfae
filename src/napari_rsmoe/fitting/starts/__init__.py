"""Initialisation: the kernels with which a fit begins.

May import `engine` and the ground.
"""
