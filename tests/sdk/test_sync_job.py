"""Waiting in a thread for work of a loop that may be gone before it is done."""

from __future__ import annotations

import asyncio
import threading

import pytest

from batonbox.sync._job import Job


async def nothing() -> None:
    """Work."""


def test_who_waits_for_a_loop_that_ends_does_not_wait_for_ever() -> None:
    job, gone = Job(nothing), threading.Event()
    timer = threading.Timer(0.2, gone.set)
    timer.start()
    assert job.wait(30.0, over=gone.is_set)
    timer.join()
    with pytest.raises(asyncio.CancelledError):
        job.result()


def test_who_gave_a_time_is_told_that_it_is_over() -> None:
    assert not Job(nothing).wait(0.05, over=lambda: False)


async def test_what_is_cancelled_before_it_begins_never_does() -> None:
    job = Job(nothing)
    job.cancel()
    job.begin()
    assert not job.begun
    assert job.wait(None, over=lambda: False)
