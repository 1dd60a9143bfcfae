"""The napari plugin. Importing it loads neither torch nor Qt; `napari.yaml` says what napari calls.

`actions` computes, without a window; `layers` converts between models and napari's layers; `workers` runs jobs on
threads; `widgets` is what the user sees.
"""

from __future__ import annotations

import os
import sys

if "torch" not in sys.modules:
    # Waiting threads of torch give way to the window instead of spinning.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

PLUGIN = "napari-rsmoe"
METADATA_KEY = "rsmoe"
"""Key of `layer.metadata` under which results say how they were made."""
