"""``python -m napari_rsmoe`` is the command ``napari-rsmoe``."""

from .cli.program import main

if __name__ == "__main__":
    main()
