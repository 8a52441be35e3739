"""What is read of a GPU, from a fake NVML: the machine that tests run on may have none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pynvml
import pytest

from suite.measure import gpu, memory_pass
from suite.measure.timing import Turn
from suite.measure.void import disturbed
from suite.plan import Lane
from suite.store.schema import Cell, GpuNoise
from suite.worker import environment
from tasks import cnn


class Nvml:
    """A device whose counters go on with every reading; ``missing`` are calls that it refuses."""

    def __init__(self) -> None:
        self.joules, self.reasons, self.processes, self.used = 1e6, 0, 3, 500 << 20
        self.missing: set[str] = set()
        self.asked: list[object] = []

    def answer(self, name: str, *given: object) -> object:
        if name in self.missing:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        self.asked.append((name, *given))
        match name:
            case "nvmlDeviceGetTotalEnergyConsumption":
                self.joules += 150
                return int(1000 * self.joules)
            case "nvmlDeviceGetPowerUsage":
                return 350_500
            case "nvmlDeviceGetClockInfo":
                return 1980 if given[1] == pynvml.NVML_CLOCK_SM else 2619
            case "nvmlDeviceGetTemperature":
                return 41
            case "nvmlDeviceGetCurrentClocksEventReasons":
                return self.reasons
            case "nvmlDeviceGetComputeRunningProcesses":
                return [SimpleNamespace(pid=each) for each in range(self.processes)]
            case "nvmlDeviceGetMemoryInfo":
                return SimpleNamespace(used=self.used)
            case "nvmlDeviceGetHandleByIndex" | "nvmlDeviceGetHandleByUUID":
                return "handle"
        return None


@pytest.fixture
def nvml(monkeypatch):
    fake = Nvml()
    for name in vars(pynvml):
        if name == "nvmlInit" or name.startswith("nvmlDeviceGet"):
            monkeypatch.setattr(pynvml, name, lambda *given, name=name: fake.answer(name, *given))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpu._handle.cache_clear()
    yield fake
    gpu._handle.cache_clear()


def test_a_reading_says_what_the_device_tells(nvml):
    found = gpu.read("cuda")
    assert (found.sm_mhz, found.memory_mhz, found.celsius, found.watts) == (1980, 2619, 41, 350.5)
    assert found.processes == 3
    assert ("nvmlDeviceGetHandleByIndex", 0) in nvml.asked


def test_nothing_is_asked_on_the_cpu(nvml):
    assert gpu.read("cpu") is None
    assert not nvml.asked


@pytest.mark.parametrize(
    ("visible", "asked"),
    [
        ("2,0", ("nvmlDeviceGetHandleByIndex", 2)),
        ("", ("nvmlDeviceGetHandleByIndex", 0)),
        ("GPU-5d1f,GPU-7a", ("nvmlDeviceGetHandleByUUID", "GPU-5d1f")),
    ],
)
def test_it_is_the_device_that_the_workers_use(nvml, monkeypatch, visible, asked):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpu.read("cuda")
    assert asked in nvml.asked
    settings = environment.settings("cuda")
    assert settings["CUDA_VISIBLE_DEVICES"] == str(asked[1])
    assert settings["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # NVML's
    assert "5d1f" not in str(environment.disclosed("cuda", environment.CONTROLLED))


def test_what_is_not_told_is_none(nvml):
    nvml.missing |= {"nvmlDeviceGetClockInfo", "nvmlDeviceGetTotalEnergyConsumption"}
    found = gpu.read("cuda")
    assert (found.sm_mhz, found.joules, found.celsius) == (None, None, 41)
    assert gpu.joules(found, found) is None


def test_without_a_device_there_is_no_reading(nvml):
    nvml.missing.add("nvmlInit")
    assert gpu.read("cuda") is None
    assert gpu.between(None, None, ours=1) is None
    assert not gpu.disturbed(None)


def test_energy_is_what_the_counter_went_on_by(nvml):
    assert gpu.joules(gpu.read("cuda"), gpu.read("cuda")) == pytest.approx(150)


@pytest.mark.parametrize(
    ("reason", "told", "counts"),
    [
        (0, [], False),
        (pynvml.nvmlClocksEventReasonGpuIdle, [], False),
        (pynvml.nvmlClocksEventReasonSwPowerCap, ["power cap"], False),
        (pynvml.nvmlClocksEventReasonSwThermalSlowdown, ["too hot"], True),
        (pynvml.nvmlClocksEventReasonHwThermalSlowdown, ["too hot"], True),
        (pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown, ["power brake"], True),
    ],
)
def test_blocks_beside_which_the_device_was_held_back_are_disturbed(nvml, reason, told, counts):
    start = gpu.read("cuda")
    nvml.reasons = reason
    seen = gpu.between(start, gpu.read("cuda"), ours=3)
    assert GpuNoise(**seen).throttled == told
    assert disturbed([(1.0, {"gpu": None}), (1.0, {"gpu": seen})]) == counts


@pytest.mark.parametrize(("processes", "others"), [(3, 0), (4, 1), (1, None), (None, None)])
def test_others_are_those_beside_ours(nvml, processes, others):
    """Some containers show no processes, or too few."""
    reading = replace(gpu.read("cuda"), processes=processes)
    seen = gpu.between(reading, reading, ours=3)
    assert seen["others"] == others
    assert gpu.disturbed(seen) == bool(others)


class Worker:
    """Answers as a worker that takes 2 ms a step."""

    def call(self, operation: str, steps: int, **given: object) -> dict:
        assert operation == "block"
        seconds = 0.002 * steps
        return {"seconds": seconds, "wall_seconds": seconds, "compiled": None, "noise": {}}


CELL = Cell(
    task="t",
    phase="train",
    backend="torch",
    execution="eager",
    precision="float32",
    device="cuda",
    batch_size=8,
)
PEAK = {"live": 1, "reserved": 2, "planned": None, "process": 3, "baseline": 4}


@pytest.mark.parametrize(
    ("device", "missing", "taken"),
    [
        ("cuda", None, 700 << 20),
        ("cuda", "nvmlDeviceGetMemoryInfo", None),
        ("cpu", None, None),
    ],
)
def test_what_a_process_takes_of_the_device_is_told(nvml, device, missing, taken):
    """From before there is a worker, so that its context is in it."""
    nvml.missing |= {missing} if missing else set()

    def call(operation: str, **given: object) -> object:
        return dict(PEAK) if operation == "peak" else None

    def build(*given: object) -> None:
        nvml.used += 700 << 20

    member = SimpleNamespace(worker=SimpleNamespace(call=call))
    crew = SimpleNamespace(build=build, member=lambda lane: member)
    said: list[dict] = []
    sink = SimpleNamespace(emit=lambda kind, **told: said.append(told))
    material = SimpleNamespace(task=cnn.tiny(), initial="")
    cell = CELL.model_copy(update={"device": device})
    (track,) = memory_pass.tracks([(None, cell)], {"t": material}, set())
    track.units[0].do(crew, sink)
    assert said == [{"cell": cell, "device": taken, **PEAK}]


@pytest.mark.parametrize("kind", environment.ENVIRONMENTS)
def test_jax_takes_its_part_of_a_gpu_at_once_only_where_times_are_measured(monkeypatch, kind):
    name = "XLA_PYTHON_CLIENT_PREALLOCATE"
    monkeypatch.delenv(name, raising=False)
    timed = environment.settings("cuda", kind=kind, preallocated=True)
    assert name not in timed
    assert 0 < float(timed["XLA_PYTHON_CLIENT_MEM_FRACTION"]) < 0.3  # of four arms
    assert environment.settings("cuda", kind=kind)[name] == "false"
    assert name not in environment.settings("cpu", kind=kind)
    assert timed.keys() <= environment.disclosed("cuda", kind).keys()


def test_what_the_user_set_holds_in_stock(monkeypatch):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.4")
    timed = environment.settings("cuda", kind=environment.STOCK, preallocated=True)
    assert timed["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.4"


def test_a_cell_on_a_gpu_tells_its_energy(nvml):
    cell = SimpleNamespace(device="cuda", task="t", phase="train")
    lane = Lane(arm=None, execution="eager", precision="float32", device="cuda")
    said: list[dict] = []
    crew = SimpleNamespace(
        members={lane: None}, member=lambda lane: SimpleNamespace(worker=Worker())
    )
    sink = SimpleNamespace(emit=lambda kind, **told: said.append(told))
    turn = Turn(0, None, None, crew, sink)
    turn._count_joules(SimpleNamespace(cell=cell, lane=lane, step_seconds=0.002))
    (told,) = said
    # 500 steps fill a second; the counter goes on by 150 J a reading, and the block's own readings
    # lie between those of the pass
    assert (told["phase"], told["samples"]) == ("energy", [pytest.approx(3 * 150 / 500)])
    noise, _ = turn._steps(SimpleNamespace(cell=cell, lane=lane), 1)
    assert noise["gpu"]["others"] == 2
    cell.device = "cpu"
    turn._count_joules(SimpleNamespace(cell=cell, lane=lane, step_seconds=0.002))
    assert len(said) == 1


def test_on_a_gpu_xla_times_no_kernels_where_nothing_is_timed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shared = environment.shared_cache("jax-1.0", "cuda")
    flags = {"--xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=false"}
    assert set(shared["XLA_FLAGS"].split()) == flags
    assert "XLA_FLAGS" not in environment.shared_cache("jax-1.0", "cpu")
    own = environment.own_cache(tmp_path / "compiled")
    assert "XLA_FLAGS" not in own
    assert {"JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"} <= own.keys()
    timed = environment.environment("cuda", cache=own, preallocated=True)
    assert own.items() <= timed.items()
