"""Names by which napari and the layers' metadata know the plugin."""

PLUGIN = "napari-rsmoe"
METADATA_KEY = "rsmoe"
"""Key of `layer.metadata` under which results say how they were made."""
