"""The napari plugin; `napari.yaml` says what napari calls. Importing it loads neither torch nor Qt.

`actions` computes, without a window; `layers` converts between models and napari's layers; `workers` runs jobs on
threads; `widgets` is what the user sees. May import everything but the other front ends.
"""

from __future__ import annotations

import os
import sys

if "torch" not in sys.modules:
    # Waiting threads of torch give way to the window instead of spinning.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
