"""Conversion between models and napari's layers, and adding layers to the viewer."""
