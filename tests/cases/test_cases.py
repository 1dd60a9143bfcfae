"""The quick cases of each kind; ``python -m tests.cases`` runs all of them."""

from __future__ import annotations

import pytest

from .collection import kinds
from .frame import Case, run_case

QUICK = [case for _, cases in kinds() for case in cases if case.quick]


@pytest.mark.parametrize("case", QUICK, ids=[case.name for case in QUICK])
def test_outcome_is_right(case: Case, tmp_path) -> None:
    run_case(case, tmp_path)
