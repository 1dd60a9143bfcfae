"""The widgets. napari imports them when the user opens one."""
