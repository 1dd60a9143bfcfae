"""Threads whose results return to the thread of the window: jobs of menu commands, and short tasks.

Modules here may import `ui`, the other modules of the plugin, and Qt.
"""
