"""Run all cases, or those whose name or kind contains a word, and print a table."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from pathlib import Path

from .collection import kinds
from .frame import Found, run_case

ROW = "{:34} {:14} {:>7} {:>7} {:>6}  {}"


def main(words: list[str]) -> int:
    """Print the table; the exit code is 1 if an outcome is wrong."""
    wrong = right = 0
    print(ROW.format("case", "outcome", "before", "after", "s", "kept, or what was said"))
    for kind, cases in kinds():
        chosen = [c for c in cases if not words or any(w.lower() in f"{kind} {c.name}".lower() for w in words)]
        if chosen:
            print(f"\n{kind}")
        for case in chosen:
            start = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found = run_case(case, Path(folder))
                    right += 1
                except AssertionError as error:
                    found, wrong = (
                        Found("WRONG", kept=f"{' '.join(str(error).split())}  [right: {case.right}]"),
                        wrong + 1,
                    )
                except Exception:
                    traceback.print_exc()
                    found, wrong = Found("WRONG", kept=f"the check failed  [right: {case.right}]"), wrong + 1
            seconds = f"{time.process_time() - start:.1f}"
            print(ROW.format(case.name, found.outcome, _db(found.before), _db(found.after), seconds, found.kept))
            sys.stdout.flush()
    print(f"\n{right} of {right + wrong} outcomes are right.")
    return 1 if wrong else 0


def _db(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
