"""How a failed job is shown: in words if the user can act on it, else with its traceback."""

from __future__ import annotations

from collections.abc import Callable

from napari.utils.notifications import notification_manager, show_error

from ...ui.jobs import plain_text


def show_problem(error: BaseException, show: Callable[[str], object] = show_error) -> None:
    """Show an error in napari.

    Parameters
    ----------
    error : BaseException
        What a job ended with.
    show : callable
        Shows the message of an error that the user can act on. A fault of the program is shown with its traceback.
    """
    text = plain_text(error)
    if text is None:
        notification_manager.receive_error(type(error), error, error.__traceback__)
    else:
        show(text)
