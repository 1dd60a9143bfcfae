"""Fuzzers: damaged and hostile files and command lines, of which none may end in anything but right or a refusal."""
