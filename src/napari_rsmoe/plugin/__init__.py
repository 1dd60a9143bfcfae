"""The napari plugin; `napari.yaml` says what napari calls. Importing it loads neither torch nor Qt.

`actions` computes, without a window; `layers` converts between models and napari's layers; `workers` runs jobs on
threads; `widgets` is what the user sees. May import everything but the other front ends.
"""
