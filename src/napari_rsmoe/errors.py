"""The errors that users meet. Each message says what was given, what is accepted and what to do."""

from __future__ import annotations


class ImageError(ValueError):
    """An image that cannot be used: its type, shape or values."""


class ModelFileError(ValueError):
    """A file that is no `.rsmoe` model, is damaged, or comes from a newer version."""


class DeviceError(RuntimeError):
    """A device that was asked for and cannot be used."""


class EngineError(ImportError):
    """The compiled engine could not be loaded."""


class CheckpointError(ValueError):
    """A folder of finished models cannot be used for this job; the message says why and what to do."""
