"""The errors that users meet. Each message says what was given, what is accepted, and what to do."""

from __future__ import annotations


class ImageError(ValueError):
    """An image cannot be used because of its type, shape or values.

    Examples
    --------
    >>> from napari_rsmoe import ImageError, denoise
    >>> try:
    ...     denoise([1.0, 2.0, 3.0])
    ... except ImageError as error:
    ...     print(str(error).partition(";")[0])
    An image of shape (3,) was given
    """


class WrongUseError(ImageError):
    """What the user asked for names something that the image does not have, whatever its pixels are."""


class AxesError(WrongUseError):
    """The letters that the user gave for the axes of an image do not fit it."""


class ImageWarning(UserWarning):
    """What was found in an image and changes the result: missing or defective pixels, rounding, noise in doubt."""


class EmptyPlaneError(ImageError):
    """No pixel of a plane counts, so that there is nothing to work on."""


class StoppedError(RuntimeError):
    """A job was stopped before there was a result to keep.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import StoppedError, denoise
    >>> try:
    ...     denoise(np.eye(300), noise=0.1, block=256, models=1, callback=lambda progress: True)  # True: stop
    ... except StoppedError as error:
    ...     print(error)
    Stopped before there was a result to keep.
    """

    def __init__(self) -> None:
        super().__init__("Stopped before there was a result to keep.")


class ModelFileError(ValueError):
    """A file is not a `.rsmoe` model, is damaged, or comes from a newer version.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_rsmoe import Model, ModelFileError
    >>> size = Path("notes.rsmoe").write_text("no model")
    >>> try:
    ...     Model.load("notes.rsmoe")
    ... except ModelFileError as error:
    ...     print(str(error).partition(" (")[0])
    notes.rsmoe is damaged or not a .rsmoe file
    """


class DeviceError(RuntimeError):
    """A device that was asked for is not known or cannot be used."""


class EngineError(ImportError):
    """The compiled engine cannot be loaded."""


class CheckpointError(ValueError):
    """A folder of finished models cannot be used for this job.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import CheckpointError, denoise
    >>> settings = {"noise": 0.1, "models": 2, "preset": "fast", "checkpoint": "finished"}
    >>> result = denoise(np.eye(24), seed=0, **settings)
    >>> try:
    ...     denoise(np.eye(24), seed=1, **settings)
    ... except CheckpointError as error:
    ...     print(str(error).partition(".")[0])
    The checkpoint finished is of another job: seed differ
    """


class NotEnoughMemoryError(MemoryError):
    """A job would take more memory than it may, or the memory of the machine did not suffice."""
