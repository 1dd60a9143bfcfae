"""Initialisations: where the kernels of a fit begin.

May import `engine` and the ground.
"""
