"""The dock widgets, which napari imports when the user opens one."""
