"""Images from which pixels and blur took detail: enlargement and deconvolution.

The way of an image: noise found, models fitted finer than the pixels, and similar patches, back to what was measured.
"""
