"""The name of the plugin in napari, and of its entry in the metadata of layers."""

PLUGIN = "napari-rsmoe"
METADATA_KEY = "rsmoe"
"""Key in the metadata of result layers for the record of the job."""
