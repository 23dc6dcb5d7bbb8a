"""Schedules of the learning rate: functions from the share of the training that is done to a factor.

A function of your own will do as well: it is called with a number in [0, 1) and gives what the initial
learning rates are multiplied by.
"""

import math
from collections.abc import Callable

from embeddings.errors import InputError

Schedule = Callable[[float], float]

WARM_UP = 0.05  # of the training


def constant(done: float) -> float:
    """Stay as it is."""
    return 1.0


def cosine(done: float) -> float:
    """Fall to zero along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * done))


def warmup_cosine(done: float) -> float:
    """Rise in a straight line over the first twentieth, then fall along half a cosine."""
    if done < WARM_UP:
        return (done + 0.01 * WARM_UP) / (1.01 * WARM_UP)  # the first step is small, and not lost
    return cosine((done - WARM_UP) / (1 - WARM_UP))


def step(done: float) -> float:
    """Fall to a tenth after each third."""
    return float(0.1 ** int(3 * done))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "warmup-cosine": warmup_cosine,
    "step": step,
}


def named(schedule: str | Schedule) -> Schedule:
    """Return the schedule of a name; a function is its own.

    Raises
    ------
    InputError
        If there is no such schedule.
    """
    if isinstance(schedule, str) and schedule in SCHEDULES:
        return SCHEDULES[schedule]
    if callable(schedule):
        return schedule
    raise InputError(
        f"schedule must be one of {', '.join(SCHEDULES)}, or a function of the share of the training done, "
        f"not {schedule!r}"
    )
