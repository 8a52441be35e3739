"""How much a run does, by name."""

from __future__ import annotations

from dataclasses import dataclass

from backends.base import EXECUTIONS, TIMED


@dataclass(frozen=True, kw_only=True)
class Profile:
    """``tasks`` are patterns; where ``own`` names any, of tribench's own only those take part.
    Tasks of ``real_size`` take part in a profile that is theirs, and in it no others do.
    ``executions`` empty: each backend's default. ``launches`` is of every comparison; those
    whose intervals are wide get up to ``most_launches``, in the time that is left. ``seeds`` counts
    the trainings of the tasks that a pattern matches, the first match holding. ``both_batches``
    times the recipe's batch too, not only the timed one; ``twin`` adds an A/A arm; ``one_ulp``
    trains the first seed again from a start moved by one ulp, and evaluates its checkpoints in
    every backend; ``rounds`` is the share of the usual seconds that a launch's rounds get;
    ``minutes`` is the time budget, of each task where they are of real size.
    """

    tasks: tuple[str, ...]
    own: tuple[str, ...] = ()
    real_size: bool = False
    executions: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("float32",)
    launches: int
    most_launches: int
    seeds: tuple[tuple[str, int], ...]
    both_batches: bool = False
    twin: bool = False
    one_ulp: bool = False
    rounds: float = 1.0
    minutes: float | None = None


PROFILES = {
    "quick": Profile(
        tasks=("*-tiny",),
        own=("cnn-tiny", "rnn-tiny", "transformer-tiny", "gpt-tiny"),
        launches=3,
        most_launches=3,
        seeds=(("*", 1),),
        rounds=0.19,  # the blocks of four tasks take what those of three did with a quarter
    ),
    "standard": Profile(
        tasks=("*-tiny", "*-small"),
        own=(
            *("cnn-tiny", "rnn-tiny", "transformer-tiny"),
            *("cnn-small", "rnn-small", "gru-small", "transformer-small"),
            *("gpt-small", "translation-small"),
        ),
        executions=EXECUTIONS,
        launches=5,
        most_launches=12,
        seeds=(("*-tiny", 5), ("*", 2)),
        both_batches=True,
        twin=True,
        one_ulp=True,
        rounds=0.5,  # nine tasks are estimated at 118 minutes on two cores, with 0.6 at 121
        minutes=120,
    ),
    "full": Profile(
        tasks=("*",),
        executions=EXECUTIONS,
        precisions=TIMED,
        launches=8,
        most_launches=16,
        seeds=(("*", 5),),
        both_batches=True,
        twin=True,
        one_ulp=True,
    ),
    "real": Profile(
        tasks=("*",),
        real_size=True,
        executions=("compiled",),  # with eager ones beside, ResNet-50 takes more than an hour
        launches=5,
        most_launches=12,
        seeds=(("*", 0),),  # random samples teach nothing
        minutes=60,
    ),
}
