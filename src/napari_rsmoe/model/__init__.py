"""The model: steered kernels with experts, how it is drawn, edited and measured.

May import `image`, `io`, `engine`, `display` and the ground. It does not know `noise`.
"""
