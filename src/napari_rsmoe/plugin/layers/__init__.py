"""Between models and napari's layers."""
