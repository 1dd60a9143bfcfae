"""Fitting: from an image to the model that draws it, and from a model to a larger image.

May import `model`, `image`, `engine` and the ground.
"""
