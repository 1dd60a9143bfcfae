"""The noise of an image: measured or given, as a model of variance and spectrum, and the variance-stabilised domain.

May import `image` and the ground. It does not know `model`.
"""
