"""Answers of parity, made up: every question and verdict, two seeds, and a hostile name."""

from __future__ import annotations

from suite.parity.thresholds import LIMITS, Extreme, Limit
from suite.store.schema import Location, ParityResult, Trajectory

HOSTILE = "<script>alert('x')</script>"
PROGRAMS = [
    ("torch", "eager"),
    ("torch", "compiled"),
    ("jax", "compiled"),
    ("tensorflow", "eager"),
    ("tensorflow", "compiled"),
]
LAYERS = {
    "cnn-tiny": ["conv1", "relu1", "pool1", "conv2", "relu2", "flatten", "fc"],
    "transformer-tiny": ["embedding", "blocks.0.attention", "blocks.0.norm1", "fc"],
}
DERIVED = LIMITS.model_copy(
    update={
        "programs": ["jax compiled", "torch eager"],
        "seeds": {"cnn-tiny": 50, "cnn-small": 5},
        "function": Limit(
            threshold=1.3e-9,
            correct=Extreme(value=3.2e-14, where="cnn-small, jax compiled, seed 3"),
            mistake=Extreme(value=5.1e-5, where="gelu: approximate True in place of False"),
        ),
    }
)
STEPS = [1, 2, 5, 10, 20, 50]
NULL = [2e-5 / step**0.5 for step in STEPS]


def answer(task: str, program: tuple[str, str], question: str, **changes: object) -> ParityResult:
    """One that is the same, but for the changes."""
    backend, execution = program
    exact = question == "function"
    found = ParityResult(
        task=task,
        backend=backend,
        execution=execution,
        device="cpu",
        precision="float64" if exact else "float32",
        question=question,
        verdict="same",
        error=3e-15 if exact else 1.4,
        threshold=1e-9 if exact else 6.0,
        errors={"activations": 3e-15, "alone": 2e-13, "drills": 1e-15} if exact else {},
        digits=_digits(task, 6.4 - len(program[0]) / 20) if question == "precision" else {},
        trajectory=_course(len(backend)) if question == "training" else None,
    )
    return found.model_copy(update=changes)


def all_the_same() -> list[ParityResult]:
    """Two tasks, five programs."""
    return [
        answer(task, program, question)
        for task in LAYERS
        for program in PROGRAMS
        for question in ("function", "precision", "training")
    ]


def every_verdict() -> list[ParityResult]:
    """The same with a port that is wrong, one that is imprecise, and others that fail."""
    mine = ("mine", "eager")
    place = Location(kind="layer", path="blocks.0.norm1", field="epsilon", guess="epsilon 0.001")
    gone = Trajectory(steps=STEPS, distances=[1.0] * 5 + [None], null=NULL, horizon=20)
    return [
        *all_the_same(),
        *(
            answer("cnn-tiny", program, "precision", seed=1, digits=_digits("cnn-tiny", 3.0))
            for program in PROGRAMS[:1]
        ),
        answer(
            *("transformer-tiny", mine, "function"),
            verdict="different",
            error=0.76,
            location=place,
            reason=f"layer blocks.0.norm1, field epsilon, off by 7.6e-01 {HOSTILE}",
        ),
        answer("transformer-tiny", mine, "precision", verdict="precision_loss", error=9e3),
        answer(
            "transformer-tiny", mine, "training", verdict="different", error=None, trajectory=gone
        ),
        answer(HOSTILE, mine, "function", verdict="failed", error=None, reason="the worker died"),
        answer(HOSTILE, mine, "precision", verdict="not_supported", error=None, digits={}),
        answer(HOSTILE, mine, "training", verdict="not_available", error=None, trajectory=None),
    ]


def _digits(task: str, most: float) -> dict[str, float]:
    layers = LAYERS.get(task, [])
    kept = {f"activations/{layer}": most - 0.1 * n for n, layer in enumerate(layers)}
    return kept | {f"gradients/{layer}.weight": most - 0.5 for layer in layers[::2]}


def _course(scale: float) -> Trajectory:
    far = [most * scale / 8 for most in NULL]
    return Trajectory(steps=STEPS, distances=far, null=NULL, horizon=20)
