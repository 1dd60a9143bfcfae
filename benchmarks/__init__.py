"""Speed and quality, each with the command that repeats it; see docs/benchmarks.md."""
