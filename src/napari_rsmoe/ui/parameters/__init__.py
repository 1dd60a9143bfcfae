"""The parameters of each function in one place: names, kinds, ranges, defaults and help, for every front end.

The forms in napari and in notebooks, the options of the command line and the calls that are copied as text are all made
from these tables. `name` is the keyword of the function in the public API, so that ``denoise(image,
**values(DENOISE))`` runs with the defaults. Modules may import `ui.kinds` and the floors below `ui`.
"""
