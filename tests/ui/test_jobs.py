"""The remaining time of a job: what is expected, corrected by what was seen."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from napari_rsmoe.progress import Parts, Progress, Timetable
from napari_rsmoe.ui import jobs
from napari_rsmoe.ui.jobs import Job


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(jobs, "_pace", jobs._Pace())
    job = Job(lambda callback: None, lambda outcome: None)
    job._working_since = time.monotonic()
    return job


def reported(job: Job, after: float, fraction: float, seconds: float | None) -> float:
    """The remaining time when a fraction was reported some seconds after the beginning."""
    job._working_since = time.monotonic() - after
    job.progress = Progress("fit", round(1000 * fraction), 1000, None, lambda: np.zeros((1, 1)), seconds)
    left = job.seconds_left
    assert left is not None
    return left


def test_remaining_time_is_honest_from_the_first_report(job: Job) -> None:
    assert job.seconds_left is None
    assert reported(job, 0.05, 0.0, 10.0) == pytest.approx(10, abs=1)  # Nothing done, so what is expected.
    assert reported(job, 2.0, 0.01, 10.0) < 40  # The start took long; that says little about the steps.
    assert reported(job, 10.0, 0.5, 10.0) == pytest.approx(9.2, abs=0.5)  # Twice as slow as expected.
    job._first = (time.monotonic() - 4.0, 0.25)
    assert reported(job, 100.0, 0.5, None) == pytest.approx(8, abs=0.2)  # Only the time since the first report counts.


def test_what_comes_before_the_first_step_is_not_the_pace(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: clock[0])
    for second in range(9):  # A large image is being read.
        clock[0] = float(second)
        job._report(Progress("reading", 0, 1, None, lambda: np.zeros((1, 1)), 10.0))
        assert job.seconds_left == pytest.approx(10)
    clock[0] = 9.0
    job._report(Progress("fit", 1, 10, None, lambda: np.zeros((1, 1)), 10.0))
    assert job.seconds_left == pytest.approx(9)


def test_parts_count_by_the_time_that_each_is_expected_to_take() -> None:
    seen: list[Progress] = []
    parts = Parts(lambda progress: seen.append(progress), [2.0, 6.0, 2.0])
    for index, step in ((0, 1), (1, 0), (1, 1), (2, 2)):
        report = parts.part(index, "part")
        assert report is not None
        report(Progress("fit", step, 2, None, lambda: np.zeros((1, 1)), 99.0))
    assert [progress.fraction for progress in seen] == pytest.approx([0.1, 0.2, 0.5, 1.0])
    assert {progress.seconds for progress in seen} == {10.0}


def test_the_pace_of_a_job_is_kept_for_the_next(job: Job) -> None:
    jobs._pace.learn(3.0)
    assert reported(job, 0.01, 0.0, 10.0) == pytest.approx(30, rel=0.1)
    jobs._pace.learn(1000.0)
    assert jobs._pace.value == jobs.SLOWEST_FASTEST[0]


def test_a_timetable_reports_its_stages_as_one() -> None:
    seen: list[Progress] = []
    times = Timetable(lambda progress: seen.append(progress), {"noise": 1.0, "fit": 3.0}, np.zeros((2, 2)))
    times.report("noise", 1.0)
    times.replan({"noise": 1.0, "fit": 9.0})
    times.report("fit", 0.0)
    during: Any = times.during("fit", "model 1 of 1")
    during(0.5)
    during(None)
    times.report("fit", 1.0)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.25, 1.0)
    assert seen[2].stage == "model 1 of 1"
    assert seen[2].seconds == 10.0
    assert times.remaining("fit") == 9.0


def test_what_an_earlier_run_has_done_says_nothing_about_the_pace(job: Job) -> None:
    job._report(Progress("block 6 of 10", 5, 10, None, lambda: np.zeros((1, 1)), 100.0, resumed=True))
    assert reported(job, 0.05, 0.5, 100.0) == pytest.approx(50, rel=0.1)
    job._report(Progress("a stage without a plan", 6, 10, None, lambda: np.zeros((1, 1))))
    assert job.progress is not None
    assert job.progress.seconds == 100.0
