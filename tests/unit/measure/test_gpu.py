"""What is read of a GPU, from a fake NVML: the machine that tests run on may have none."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pynvml
import pytest

from suite.measure import gpu, memory
from suite.measure.timing import Entry, Launch
from suite.measure.validity import disturbed
from suite.plan.configurations import Configuration
from suite.records.schema import Cell, GpuNoise
from suite.worker import environment
from suite.worker.answers import BlockTimes, Peak
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


class Steps:
    """A program that takes 2 ms a step."""

    def block(self, phase: str, size: int, steps: int, *given: object, **more: object):
        return BlockTimes(0.002 * steps, 0.002 * steps, None, {})


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

    def program(*given: object) -> object:
        nvml.used += 700 << 20
        return SimpleNamespace(block=lambda *_: None, peak=lambda: Peak(**PEAK))

    pool, said = SimpleNamespace(program=program), list[dict]()
    sink = SimpleNamespace(
        emit=lambda kind, **told: said.append(told), failures=lambda *_: nullcontext()
    )
    task_inputs = SimpleNamespace(task=cnn.tiny(), initial="")
    cell = CELL.model_copy(update={"device": device})
    (group,) = memory.groups([(None, cell)], {"t": task_inputs}, set())
    group.jobs[0].run(pool, sink)
    assert said == [{"cell": cell, "device": taken, **PEAK}]


def test_a_cell_on_a_gpu_tells_its_energy(nvml):
    cell = SimpleNamespace(device="cuda", task="t", phase="train", batch_size=1)
    configuration = Configuration(
        installation=None, execution="eager", precision="float32", device="cuda"
    )
    said: list[dict] = []
    pool = SimpleNamespace(
        clients={configuration: None},
        client=lambda configuration: SimpleNamespace(programs={"t": Steps()}),
    )
    sink = SimpleNamespace(emit=lambda kind, **told: said.append(told))
    turn = Launch(0, None, None, pool, sink)
    turn._count_joules(Entry(configuration, cell, step_seconds=0.002))
    (told,) = said
    # 500 steps fill a second; the counter goes on by 150 J a reading, and the block's own readings
    # lie between those of the pass
    assert (told["phase"], told["samples"]) == ("energy", [pytest.approx(3 * 150 / 500)])
    times = turn._steps(Entry(configuration, cell), 1)
    assert times.noise["gpu"]["others"] == 2
    cell.device = "cpu"
    turn._count_joules(Entry(configuration, cell, step_seconds=0.002))
    assert len(said) == 1
