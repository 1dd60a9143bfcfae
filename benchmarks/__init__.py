"""Speed and quality, each with the command that repeats it; see docs/results/benchmarks.md."""
