"""The name of the plugin in napari, and of its entry in the metadata of layers."""

PLUGIN = "napari-rsmoe"
METADATA_KEY = "rsmoe"
"""Key in the metadata of result layers for the record of the job."""
ORIGINAL_KEY = "rsmoe layer"
"""Key in the metadata of result layers for their own identity; a copy by the user has that of the original."""
