"""Threads: jobs with progress and cancel, and quick tasks of which only the latest counts."""
