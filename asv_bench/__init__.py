"""Benchmarks for asv: the figures that matter, so that a regression between two commits is found by one command.

CONTRIBUTING.md says how to run them. Times are CPU seconds of all threads, as wall time depends on what else runs.
"""
