"""The errors that users meet. Each message says what was given, what is accepted, and what to do."""

from __future__ import annotations


class ImageError(ValueError):
    """An image cannot be used because of its type, shape or values."""


class AxesError(ImageError):
    """The letters that the user gave for the axes of an image do not fit it."""


class ImageWarning(UserWarning):
    """What was found in an image and changes the result: missing or defective pixels, rounding, noise in doubt."""


class EmptyPlaneError(ImageError):
    """No pixel of a plane counts, so that there is nothing to work on."""


class StoppedError(RuntimeError):
    """A job was stopped before there was a result to keep."""

    def __init__(self) -> None:
        super().__init__("Stopped before there was a result to keep.")


class ModelFileError(ValueError):
    """A file is not a `.rsmoe` model, is damaged, or comes from a newer version."""


class DeviceError(RuntimeError):
    """A device that was asked for is not known or cannot be used."""


class EngineError(ImportError):
    """The compiled engine cannot be loaded."""


class CheckpointError(ValueError):
    """A folder of finished models cannot be used for this job."""


class NotEnoughMemoryError(MemoryError):
    """A job would take more memory than it may, or the memory of the machine did not suffice."""
