"""Denoising: one noisy image becomes an ensemble of models, which are fused, refined and given an error bar.

May import `fitting`, `model`, `noise`, `io`, `image`, `engine`, `display` and the ground; no user interface.
"""
