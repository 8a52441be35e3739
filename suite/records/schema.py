"""Everything that a run writes, as pydantic models: records, manifest, environment, summary.

Seconds, bytes and samples are plain numbers in those units; None means "not available", never 0.
A backend's name may carry an arm's label (``torch@old``). Unknown fields are refused, so that a
typing error cannot pass for data.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from suite.records.personal import without_paths
from tasks.base import Score

# For plugins pydantic would read what every installed package announces, and fail where one file of
# any package is damaged. Not "__all__": suite.worker.private would take that out of messages.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")

RUN_SCHEMA = "tribench/run/1"
PARITY_SCHEMA = "tribench/parity/1"
COMPARISON_SCHEMA = "tribench/compare/1"
UPGRADE_SCHEMA = "tribench/upgrade/1"
TWIN = "@aa"  # ends the name of an A/A arm

Told = Annotated[str, AfterValidator(without_paths)]  # a message that may name files
Count = Annotated[int, Field(ge=0, strict=True)]  # not true, nor digits within quotation marks
Status = Literal[
    "ok",
    "failed",
    "not_supported",
    "not_available",
    "not_stationary",
    "disturbed",
    "implausible",
]
Phase = Literal["train", "infer"]
Verdict = Literal["EQUIVALENT", "FASTER", "SLOWER", "INCONCLUSIVE"]
LearningVerdict = Literal["EQUIVALENT", "DIFFERENT", "INCONCLUSIVE"]
Question = Literal["function", "precision", "training"]
ParityVerdict = Literal[
    "same", "different", "precision_loss", "not_supported", "not_available", "failed"
]

Aspect = Literal["speed", "compile", "memory", "parity", "accuracy"]
Standing = Literal["worse", "better", "unchanged", "open"]


class Model(BaseModel):
    """Frozen, and closed to unknown fields. What goes into another is validated again: a copy with
    other values was not, and a message in it may name a folder.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always"
    )


class Cell(Model):
    """One measured combination."""

    task: str
    phase: Phase
    backend: str
    execution: str
    precision: str
    device: str
    batch_size: int

    @property
    def comparison(self) -> tuple[str, str, str, str, int]:
        """Cells that share this are ranked against each other."""
        return (self.task, self.phase, self.precision, self.device, self.batch_size)

    @property
    def is_twin(self) -> bool:
        """Is it an A/A arm's?"""
        return self.backend.endswith(TWIN)

    @property
    def doubles(self) -> str:
        """The backend that an A/A arm doubles; every other one's own."""
        return self.backend.removesuffix(TWIN)

    @property
    def arm(self) -> tuple[str, str]:
        """What tells the cells of a comparison apart."""
        return (self.backend, self.execution)

    @property
    def id(self) -> str:
        """Unique in a run, for the ids of jobs."""
        return "/".join(map(str, (*self.comparison, *self.arm)))

    @property
    def label(self) -> str:
        """As people call it; all cells of a run are of one device."""
        arm = f"{self.backend} {self.execution} {self.precision}"
        return f"{self.task} {self.phase} ×{self.batch_size} {arm}"


class GpuNoise(Model):
    """What the GPU did beside a block; see suite.measure.gpu. ``others`` counts the processes of
    others that computed on it.
    """

    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    watts: float | None
    throttled: list[str]
    others: int | None


class Noise(Model):
    """What else the machine did during a block (suite.machine.noise), and how long known work took
    before its round (suite.machine.cores).
    """

    cpu_per_wall: float | None
    steal: float | None
    pressure: float | None
    involuntary_switches: int | None
    known_work_ms: float | None = None
    gpu: GpuNoise | None = None


class Record(Model):
    """What every line of records.jsonl has. ``unit`` names the piece of work it belongs to,
    ``attempt`` the try at it: only records of a try that was finished count.
    """

    unit: str
    attempt: str


class BlockRecord(Record):
    """``steps`` steps of one cell, timed as one after ``lead_in`` that were not; ``round`` and
    ``position`` tell the order, and ``void`` why the block does not count, if it does not. One that
    counts is ``disturbed`` where its set of rounds was, and had been measured again often enough.
    """

    kind: Literal["block"] = "block"
    cell: Cell
    launch: Count
    round: Count
    position: Count
    steps: Annotated[int, Field(ge=1, strict=True)]
    lead_in: Count = 0
    seconds: Annotated[float, Field(strict=True)]  # below 0 where a clock jumped
    noise: Noise
    void: Told | None = None
    disturbed: bool = False  # older runs did not look


class PhaseRecord(Record):
    """A phase with a duration of its own. ``import`` belongs to a backend; to a cell ``build``,
    ``compile`` (the first call), ``warmup`` (samples: seconds per step), ``latency`` (samples: of
    single predictions), ``fed`` (sample: per step, with its batch put on the device first) and
    ``energy`` (sample: joules per step); ``unit`` closes a finished unit.
    """

    kind: Literal["phase"] = "phase"
    phase: Literal["import", "build", "compile", "warmup", "latency", "fed", "energy", "unit"]
    seconds: float
    launch: int | None = None
    backend: str | None = None
    cell: Cell | None = None
    samples: list[float] = []
    steady: bool | None = None
    facts: dict[Told, Told] = {}


class MemoryRecord(Record):
    """Peaks of one cell in a process of its own, bytes. ``process`` is above ``baseline``, the
    process's size after the imports; ``planned`` is what a compiler set aside for a step;
    ``device`` is how much less of the GPU was free at the end than before the process began.
    """

    kind: Literal["memory"] = "memory"
    cell: Cell
    live: int | None
    reserved: int | None
    process: int | None
    planned: int | None = None
    device: int | None = None
    baseline: int | None


class Location(Model):
    """Where a difference was found first."""

    kind: Literal["layer", "parameter", "buffer", "loss", "optimizer"]
    path: str
    field: str | None = None
    guess: str | None = None


class Trajectory(Model):
    """How far training went from the float64 reference's: after each of ``steps`` steps, the
    distance ‖θ - θ₆₄‖ / ‖θ₆₄ - θ₀‖ of the parameters, and the greatest in the null ensemble. From
    ``horizon`` steps on, if it is known, rounding alone has grown to something else (chaos).
    """

    steps: list[int]
    distances: list[float | None]  # None: not finite
    null: list[float]
    horizon: int | None = None


class ParityResult(Model):
    """One question asked of one backend. ``error`` is the worst found, in ``threshold``'s unit: of
    the function, relative to the values; of precision and training, in units of what correct
    arithmetic of that precision makes of the same values.
    """

    task: str
    backend: str
    execution: str
    device: str
    precision: str
    question: Question
    verdict: ParityVerdict
    reason: Told | None = None
    error: float | None = None
    threshold: float | None = None
    location: Location | None = None
    errors: dict[str, float] = {}  # the worst of: activations, loss, gradients, update, ...
    seed: int = 0  # of parameters and samples
    batch_size: int | None = None  # of the batch that was asked; None in older runs
    phase: Phase | None = None  # where one was asked alone, in the graph that is timed
    ranks: int = 1
    digits: dict[str, float] = {}  # decimal digits kept, by activations/LAYER, gradients/PARAMETER
    trajectory: Trajectory | None = None

    @property
    def passed(self) -> bool:
        """The same, or less precise only in float64, which is never timed."""
        loss_is_harmless = self.verdict == "precision_loss" and self.precision == "float64"
        return self.verdict == "same" or loss_is_harmless

    @property
    def wrong(self) -> bool:
        """Asked, and not passed."""
        return not self.passed and self.verdict not in ("not_supported", "not_available")


class ParityRecord(Record):
    """A parity result within a run."""

    kind: Literal["parity"] = "parity"
    result: ParityResult


class Training(Model):
    """One training to the end. ``losses`` are per step, before it; curves and ``epoch_seconds`` per
    epoch, ``seconds`` being their sum without evaluations. ``start``: as stored, or every parameter
    moved by one unit in the last place of float32. ``target`` is the validation accuracy whose
    reaching is timed, None times if it was not. ``repeats``: the first epoch gave the same bits
    once more; None if that was not looked at. ``resumed_after``: epochs after which another process
    went on. ``score`` is what the task's trainings are compared by. Where that is ``bits_per_byte``
    (the test loss over ln 2) or ``token_accuracy`` (the test accuracy), ``test_samples`` counts the
    targets of all steps, and accuracies are shares of these; e to the power of the test loss is the
    perplexity of one; ``sequence_accuracy`` is the share of samples all of whose targets are
    guessed. Where it is ``error_rate`` (of the test's labels), accuracies are shares of
    samples all of whose labels are right. Of a task with weights of the user's
    ``weights_accuracy`` and ``weights_loss`` are the test's before the training.
    """

    task: str
    backend: str
    execution: str
    precision: str
    device: str
    seed: int
    epochs: int
    steps: int
    batch_size: int
    seconds: float
    losses: list[float]
    validation_accuracies: list[float]
    test_accuracy: float
    test_loss: float
    test_correct: int
    test_samples: int
    data_hash: str
    start: Literal["stored", "one ulp"] = "stored"
    test_macro_f1: float | None = None
    validation_losses: list[float] = []
    epoch_seconds: list[float] = []
    target: float | None = None
    steps_to_target: int | None = None
    seconds_to_target: float | None = None
    repeats: bool | None = None
    resumed_after: list[int] = []
    score: Score = "accuracy"
    bits_per_byte: float | None = None
    token_accuracy: float | None = None
    error_rate: float | None = None
    validation_error_rates: list[float] = []
    sequence_accuracy: float | None = None
    weights_accuracy: float | None = None
    weights_loss: float | None = None


class AccuracyRecord(Record):
    """A training within a run."""

    kind: Literal["accuracy"] = "accuracy"
    training: Training


class ReferenceLine(Model):
    """What a simple classifier of scikit-learn reaches on the same split; where ``bits_per_byte``
    are told, what counts of bytes do; where ``token_accuracy`` is, what a look-up of the nearest
    training source and counts of tokens do; where ``error_rate`` is, what one answer to all samples
    does.
    """

    task: str
    model: str
    test_accuracy: float
    test_macro_f1: float
    test_samples: int
    seconds: float
    data_hash: str
    bits_per_byte: float | None = None
    token_accuracy: float | None = None
    error_rate: float | None = None


class LineRecord(Record):
    """A reference line within a run."""

    kind: Literal["line"] = "line"
    line: ReferenceLine


class Disagreement(Model):
    """A test sample that two evaluations of one checkpoint take for different classes, in one of
    its steps where there are several, and how far the reference's two best logits are apart.
    """

    sample: int
    margin: float


class Exchange(Model):
    """A checkpoint that was trained in one arm and evaluated in another. ``error`` is the worst
    difference of a logit from the float64 reference's, and ``rounding`` what float32 arithmetic in
    NumPy makes of it. What may round otherwise is listed; ``wrong`` counts the predictions whose
    margin is larger than rounding explains. Of a model that predicts at every step ``samples``
    counts these, and only the first test samples are looked at, up to 4 million logits.
    """

    task: str
    seed: int
    precision: str
    trained_in: str
    evaluated_in: str
    samples: int
    error: float
    rounding: float
    wrong: int
    disagreements: list[Disagreement]


class ExchangeRecord(Record):
    """An exchanged checkpoint within a run."""

    kind: Literal["exchange"] = "exchange"
    exchange: Exchange


class CeilingRecord(Record):
    """The highest rate of a device as one arm reached it; see suite.measure.ceilings. ``amount`` is
    what a step did: operations of a ``matmul``, bytes read and written by a ``copy``;
    ``step_seconds`` are of all blocks.
    """

    kind: Literal["ceiling"] = "ceiling"
    what: Literal["matmul", "copy"]
    how: str
    backend: str
    execution: str
    precision: str
    device: str
    amount: int
    step_seconds: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)

    @property
    def rate(self) -> float:
        """FLOP/s or bytes/s of the best block."""
        return self.amount / min(self.step_seconds)


class FailureRecord(Record):
    """What could not be measured. ``stage`` is parity, ceiling, timing, memory or accuracy;
    ``cell`` says what it cost, where it cost a cell; elsewhere the other fields say what it is
    about, all precisions where ``precision`` is None.
    """

    kind: Literal["failure"] = "failure"
    stage: str
    status: Status
    reason: Told
    task: str | None = None
    backend: str | None = None
    execution: str | None = None
    precision: str | None = None
    cell: Cell | None = None


AnyRecord = Annotated[
    BlockRecord
    | PhaseRecord
    | MemoryRecord
    | ParityRecord
    | AccuracyRecord
    | CeilingRecord
    | LineRecord
    | ExchangeRecord
    | FailureRecord,
    Field(discriminator="kind"),
]


class Upgrade(Model):
    """Two arms of one backend, an older and a newer one, and what pip was asked for in each."""

    base: str
    new: str
    base_requirements: Told
    new_requirements: Told

    @property
    def backend(self) -> str:
        """The backend that both are arms of."""
        return self.base.partition("@")[0]

    @property
    def requirements(self) -> tuple[str, str]:
        """The older arm's and the newer one's."""
        return self.base_requirements, self.new_requirements


class Manifest(Model):
    """What a run set out to do. ``command`` repeats it; interpreters stand by name, not path.
    ``upgrade`` names the two arms of a run that judges an upgrade.
    """

    schema_: str = Field(RUN_SCHEMA, alias="schema")
    id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")  # names files too
    created: str = Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
    )  # ISO 8601
    tribench: str
    command: Told
    label: str | None
    profile: str
    launches: int
    seeds: list[int]
    delta: float
    choice: dict[str, Any] = {}  # the options as typed; what --resume plans from
    tasks: dict[str, dict[str, Told | int]]  # name: spec hash, data, batch sizes, ...
    cells: list[Cell]
    complete: bool
    upgrade: Upgrade | None = None  # older runs judged none

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )


class Environment(Model):
    """The machine and the software; nothing personal."""

    cpu: Told
    cores: int
    threads: int
    memory_bytes: int
    system: Told
    container: bool
    gpus: list[Told]  # each with its driver
    settings: dict[str, Told]  # the controlled process environment
    coordinator: dict[str, Told]  # python, tribench, numpy
    backends: dict[str, dict[Told, Told]]  # per backend: python, framework and numpy versions
    facts: dict[str, dict[Told, Told]] = {}  # per arm, as its adapter tells
    physical_cores: int | None = None
    driver: str | None = None  # NVIDIA's
    allocator: str | None = None  # whose malloc workers get, unless ``settings`` has an LD_PRELOAD


class Interval(Model):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Latency(Model):
    """Percentiles of the seconds that one prediction takes, over all launches."""

    p50: float
    p90: float
    p99: float


class CellMemory(Model):
    """Bytes: the framework's live and reserved peaks, the process's peak above its baseline, what
    the compiler set aside for a step, and what the process took of the GPU, its context included.
    """

    live: int | None
    reserved: int | None
    process: int | None
    planned: int | None = None
    device: int | None = None


class CellSummary(Cell):
    """A cell's results. ``accuracy`` is of the test samples, the mean over seeds, for ``train``
    cells, and so are ``bits_per_byte``, ``token_accuracy`` or ``error_rate`` where they are the
    task's score. ``latency`` is of inference, where each step is waited for; ``fed_seconds`` of a
    step that has its batch put on the device; ``joules_per_sample`` of the whole GPU while such
    steps run. ``cpu_seconds`` are
    what the worker's process takes of all cores for a step, the median of the blocks that count.
    ``break_even_steps``: after so many steps what compiling took longer than in the backend's other
    execution is made up for; None if never. ``flops_per_second`` counts the operations of the
    model's spec, three forward passes for a step of training; ``of_ceiling`` is their share of the
    best matrix multiplication that the run saw on the device. ``command`` measures the cell again.
    ``launch_seconds`` are the medians of its launches, of which ``step_seconds`` is made.
    ``tokens_per_second`` are those of texts that get a result, padding too.
    """

    status: Status
    reason: str | None
    samples_per_second: float | None
    step_seconds: Interval | None
    launches: int
    blocks: int
    compile_seconds: float | None
    latency: Latency | None = None
    fed_seconds: float | None = None
    joules_per_sample: float | None = None
    break_even_steps: int | None = None
    memory: CellMemory
    accuracy: float | None
    test_samples: int | None
    parity: ParityVerdict | None
    flops_per_second: float | None = None
    of_ceiling: float | None = None
    command: str | None = None
    launch_seconds: list[float] = []  # empty in older runs
    cpu_seconds: float | None = None  # None in older summaries
    bits_per_byte: float | None = None
    token_accuracy: float | None = None
    error_rate: float | None = None
    tokens_per_second: float | None = None


class CeilingSummary(Model):
    """The highest rates of a device as one arm reached them: of matrix multiplication in FLOP/s, of
    copying in bytes/s, read and written.
    """

    backend: str
    execution: str
    precision: str
    device: str
    matmul_flops_per_second: float | None
    copy_bytes_per_second: float | None


class LearningSummary(Model):
    """Do two arms learn the same? ``difference`` is the mean over seeds of the test ``score`` of
    ``new`` less that of ``base``, with its 95 % interval (None for one seed); the verdict is of two
    one-sided tests against ± ``margin``. ``seeds_needed`` would settle it; None if that is settled
    or cannot be said.
    """

    task: str
    precision: str
    device: str
    base: str
    new: str
    seeds: int
    difference: float
    low: float | None
    high: float | None
    margin: float
    verdict: LearningVerdict
    seeds_needed: int | None
    score: Score = "accuracy"


class RoundingSummary(Model):
    """How far rounding alone moves an arm's test ``score``: the root mean square over seeds of what
    a start moved by one unit in the last place changed.
    """

    task: str
    precision: str
    device: str
    backend: str
    seeds: int
    difference: float
    score: Score = "accuracy"


class ComparisonSummary(Model):
    """Two arms of a comparison: ratio = time of ``new`` / time of ``base``. No verdict is given
    where parity failed; ``reason`` says so, or what else to keep in mind. An arm is called by its
    backend, and by its execution too where the comparison has the backend in several.
    ``launch_ratios`` are the medians of its launches, of which ``ratio`` is made.
    """

    task: str
    phase: Phase
    precision: str
    device: str
    batch_size: int
    base: str
    new: str
    ratio: float
    low: float
    high: float
    delta: float
    launches: int
    paired: bool
    verdict: Verdict | None
    reason: str | None
    launch_ratios: list[float] = []  # empty in older runs


class Difference(Model):
    """Something that two runs' environments differ by; ``matters`` if times cannot be compared
    then.
    """

    what: str
    base: str
    new: str
    matters: bool


class CellChange(Cell):
    """A cell in two runs: ratio = seconds per step in NEW / in BASE, unpaired. ``launches`` are
    BASE's and NEW's; ``p_value`` is adjusted for all cells that are judged (Holm), and their own of
    the others. No verdict where the runs are not comparable, or where ``reason`` says why the cell
    cannot be judged; beside a verdict it says what to keep in mind.
    """

    ratio: float
    low: float
    high: float
    launches: tuple[int, int]
    p_value: float
    verdict: Verdict | None
    reason: str | None = None


class RunComparison(Model):
    """Two runs. ``common`` is the median ratio of all cells whose times may be judged, with its
    interval: what the machine, or an upgrade, did to all of them. ``left_out`` names the cells that
    have no ratio. ``unjudged`` names those of which nothing is said although BASE had them, or
    which failed in NEW or have no parity there: a gate stops at them. ``inconclusive`` counts that
    verdict.
    """

    schema_: str = Field(COMPARISON_SCHEMA, alias="schema")
    base: str
    new: str
    comparable: bool
    delta: float
    common: float
    common_low: float
    common_high: float
    differences: list[Difference]
    changes: list[CellChange]
    left_out: list[str]
    unjudged: list[str] = []
    inconclusive: int = 0

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )


class UpgradeFinding(Model):
    """One aspect of one piece of work in both arms of an upgrade. ``what`` says more closely what
    it is: a kind of memory, a precision, a score. ``base`` and ``new`` are seconds, bytes or
    scores, of parity the verdicts. ``change`` is new / base with its 95 % interval, of accuracy
    new - base; within ``delta`` of no change the two are equivalent. ``reason`` says why there is
    no verdict, or what to keep in mind.
    """

    aspect: Aspect
    what: str
    task: str
    execution: str
    phase: Phase | None = None
    batch_size: int | None = None
    precision: str | None = None
    base: float | ParityVerdict | None = None
    new: float | ParityVerdict | None = None
    change: Interval | None = None
    delta: float | None = None
    verdict: Verdict | LearningVerdict | ParityVerdict | Literal["MORE", "LESS"] | None = None
    standing: Standing
    reason: Told | None = None


class UpgradeSummary(Model):
    """What an upgrade changed, did not change, and what could not be told. ``builds`` says for
    which device each arm was built. ``differences`` are of versions. ``unjudged`` names what a gate
    stops at though nothing became worse there.
    """

    schema_: str = Field(UPGRADE_SCHEMA, alias="schema")
    id: str
    complete: bool
    upgrade: Upgrade
    builds: tuple[str, str]
    delta: float
    differences: list[Difference]
    findings: list[UpgradeFinding]
    unjudged: list[str]
    notes: list[str]

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    def of(self, *standings: Standing) -> list[UpgradeFinding]:
        """The findings that stand so."""
        return [each for each in self.findings if each.standing in standings]


class Summary(Model):
    """The run in short: summary.json."""

    schema_: str = Field(RUN_SCHEMA, alias="schema")
    id: str
    complete: bool
    cells: list[CellSummary]
    comparisons: list[ComparisonSummary]
    parity: list[ParityResult]
    trainings: list[Training]
    failures: list[str]
    notes: list[str]
    ceilings: list[CeilingSummary] = []
    learning: list[LearningSummary] = []
    rounding: list[RoundingSummary] = []
    lines: list[ReferenceLine] = []
    exchanges: list[Exchange] = []
    # Beside which something else worked, measured again or not; the first note says so then.
    disturbed_cells: int = 0

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )
