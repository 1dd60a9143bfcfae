"""Faults injected into whole jobs: nothing is lost, nothing is half, and the next run cleans up."""
