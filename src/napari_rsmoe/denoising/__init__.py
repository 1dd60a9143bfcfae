"""Denoising: one noisy image becomes an ensemble of models, fused, refined and given an error bar.

May import `fitting`, `model`, `noise`, `image`, `engine` and the ground; no user interface and no files.
"""
