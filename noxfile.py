"""Sessions. Environments are made by sessions of their own: ``suite`` for the coordinator, which
holds no framework, one per framework, because their CUDA packages conflict, and ``develop`` for
the tools. The others run in these; what stands after ``--`` is passed on.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]

PROJECT = nox.project.load_toml("pyproject.toml")["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOLDERS = sorted(path.parent.name for path in Path("backends").glob("*/framework.py"))
FRAMEWORKS = tuple(name for name in FOLDERS if name in EXTRAS)
PEERS = {  # of tests/studies/peers and ours; they share an environment: their builds are the same
    "peers-torch": ("torch", "torch-nn", "keras-torch"),
    "peers-jax": ("jax", "flax", "keras-jax"),
    "tensorflow": ("tensorflow", "keras-tensorflow"),  # it brings Keras
}
WITNESSES = {  # libraries whose models ours are held beside
    "witness-torchvision": ("torchvision",),
    "witness-transformers": ("transformers",),
    "witness-keras": ("keras", "keras_hub"),
    "witness-flax": ("flax",),
}
TWO = ("-n2", "--dist=loadfile")  # processes, each with a core of its own
UNIT = (*TWO, "tests/unit")
EVERYTHING = (
    *(*TWO, "--no-loadscope-reorder"),  # in the order of tests/conftest.py
    *("tests/conformance", "tests/end_to_end", "tests/unit"),
)
STOP_SECONDS = 60  # how long an interrupted run may take to write what it has
BENCHMARKS = Path("build/microbench")
COLUMNS = "median,iqr,min,max,rounds"


def install(session: nox.Session, *requirements: str) -> None:
    """Into the session's environment, with the pinned versions; not again until either changes:
    in five environments pip takes 5 s to find nothing to do.
    """
    wanted = "\n".join([*requirements, "", Path("constraints.txt").read_text(encoding="utf-8")])
    done = Path(session.virtualenv.location, "installed.txt")
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    done.unlink(missing_ok=True)
    pip = ("python", "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt")
    if session.run_install(*pip, *requirements):  # nox -R leaves it out
        done.write_text(wanted, encoding="utf-8")


def python(environment: str) -> str:
    """The interpreter of an environment that another session made."""
    return str(Path(".nox", environment, "bin", "python").absolute())


def run(session: nox.Session, environment: str, *module: str, **variables: str) -> None:
    """Run a Python module in an environment that another session made; Python finds ours in the
    working directory, unless it is told not to look there.
    """
    session.run(
        *(python(environment), "-m", *module),
        env={"PYTHONSAFEPATH": None} | variables,
        external=True,
        interrupt_timeout=STOP_SECONDS,
        terminate_timeout=STOP_SECONDS,
    )


@nox.session(default=False)
def suite(session: nox.Session) -> None:
    """Environment: the coordinator's."""
    install(session, *PROJECT["dependencies"])


@nox.session(default=False)
def develop(session: nox.Session) -> None:
    """Environment: the coordinator's, with the tools for tests, style and types."""
    install(session, *PROJECT["dependencies"], *EXTRAS["develop"])


def framework(session: nox.Session) -> None:
    """Environment: this framework's; with CUDA where there is an NVIDIA driver."""
    cuda = shutil.which("nvidia-smi") is not None
    try:
        install(session, *EXTRAS.get(f"{session.name}-cuda" if cuda else "", EXTRAS[session.name]))
    except CommandFailed:
        # The run goes on with the others, and its report says that this one is not available.
        session.warn(f"{session.name} could not be installed and will be left out")


for name in FRAMEWORKS:
    nox.session(framework, name=name, default=False)


@nox.session(name="peers-torch", default=False)
def peers_torch(session: nox.Session) -> None:
    """Environment: PyTorch's with Keras."""
    install(session, *EXTRAS["torch"], "keras")


@nox.session(name="peers-jax", default=False)
def peers_jax(session: nox.Session) -> None:
    """Environment: JAX's with Keras, Flax and Optax."""
    install(session, *EXTRAS["jax"], "keras", "flax", "optax")


@nox.session(name="witness-torchvision", default=False)
def witness_torchvision(session: nox.Session) -> None:
    """Environment: PyTorch's with torchvision, without what torchvision would bring: the PyTorch
    that it is built for may be another one than ours.
    """
    install(session, *EXTRAS["torch"], "pillow")
    session.install("--no-deps", "--constraint", "constraints.txt", "torchvision")


@nox.session(name="witness-transformers", default=False)
def witness_transformers(session: nox.Session) -> None:
    """Environment: PyTorch's with Hugging Face's transformers."""
    install(session, *EXTRAS["torch"], "transformers")


@nox.session(name="witness-keras", default=False)
def witness_keras(session: nox.Session) -> None:
    """Environment: JAX's with Keras and keras-hub, without what keras-hub would bring: TensorFlow's
    tokenizers.
    """
    install(session, *EXTRAS["jax"], "keras", "regex", "tokenizers")
    session.install("--no-deps", "--constraint", "constraints.txt", "keras-hub")


@nox.session(name="witness-flax", default=False)
def witness_flax(session: nox.Session) -> None:
    """Environment: JAX's with Flax and the last transformers that has classes of Flax."""
    install(session, *EXTRAS["jax"], "flax")
    session.install("transformers==4.57.6")  # constraints.txt has a later one


@nox.session(default=False)
def mlx(session: nox.Session) -> None:
    """Environment: MLX's, for the adapter in tests/plugins/mlx."""
    install(session, "numpy", "mlx[cpu]")


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def bench(session: nox.Session) -> None:
    """Check parity, measure everything, write the report."""
    run(session, "suite", "suite", "run", *session.posargs)


def peer_pythons() -> list[str]:
    """The options that name the interpreter of each peer, and of the adapter beside it."""
    arms = [(name, python(environment)) for environment, names in PEERS.items() for name in names]
    return [f"--python={name}={path}" for name, path in arms]


@nox.session(venv_backend="none", default=False, requires=["suite", *PEERS])
def peers(session: nox.Session) -> None:
    """Measure the adapters beside the models as users write them, in tests/studies/peers."""
    pythons = peer_pythons()
    found = str(Path("tests", "studies", "peers").absolute())
    run(session, "suite", "suite", "run", *pythons, *session.posargs, PYTHONPATH=found)


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS, *WITNESSES])
def witnesses(session: nox.Session) -> None:
    """Hold the models of real size beside the libraries' own: ``-- --only 'gpt2*'``."""
    pairs = [(library, name) for name, libraries in WITNESSES.items() for library in libraries]
    pythons = [f"{library}={python(name)}" for library, name in pairs]
    run(session, "suite", "tests.studies.witnesses.check", *pythons, *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def parity(session: nox.Session) -> None:
    """Is it the same function everywhere?"""
    run(session, "suite", "suite", "parity", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def doctor(session: nox.Session) -> None:
    """Does it measure right here, and what on this machine spoils measurements?"""
    run(session, "suite", "suite", "doctor", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite"])
def report(session: nox.Session) -> None:
    """Make the pages of runs again."""
    run(session, "suite", "suite", "report", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite"])
def compare(session: nox.Session) -> None:
    """What became slower or faster from one run to another: ``-- BASE NEW``."""
    run(session, "suite", "suite", "compare", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite"])
def upgrade(session: nox.Session) -> None:
    """What does an upgrade change: ``-- torch==2.12.0 torch==2.13.0``."""
    run(session, "suite", "suite", "upgrade", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite"])
def publish(session: nox.Session) -> None:
    """Check runs and put their records under results/published: ``-- RUN``."""
    run(session, "suite", "suite", "publish", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["suite"])
def site(session: nox.Session) -> None:
    """Make the site of the published runs in build/site."""
    runs = [str(path.parent) for path in sorted(Path("results/published").glob("*/manifest.json"))]
    run(session, "suite", "suite", "report", *runs, "--site", "build/site")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Make the documents' site in build/site/docs; a warning is an error (mkdocs.yml)."""
    install(session, *PROJECT["dependencies"], *EXTRAS["docs"])  # its hook imports the program
    session.run("python", "-m", "mkdocs", "build", "--strict", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["develop"])
def unit(session: nox.Session) -> None:
    """Unit tests, which need no framework; two minutes at most on two cores."""
    run(session, "develop", "pytest", "--durations=10", *(session.posargs or UNIT))


@nox.session(venv_backend="none", requires=["develop", *FRAMEWORKS, "mlx"])
def tests(session: nox.Session) -> None:
    """Unit, conformance and end-to-end tests, with the real frameworks."""
    run(session, "develop", "pytest", "--durations=10", *(session.posargs or EVERYTHING))


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def microbench(session: nox.Session) -> None:
    """Time operators: ``-- [torch] [jax] [tensorflow] [cuda]``, and what pytest takes."""
    words = {*FRAMEWORKS, "cuda"}
    names = [name for name in FRAMEWORKS if name in session.posargs] or FRAMEWORKS
    more = [word for word in session.posargs if word not in words]
    reference = BENCHMARKS / "reference.npz"
    run(session, "suite", "tests.studies.operators.reference", str(reference))
    files = {name: BENCHMARKS / f"{name}.json" for name in names}
    for file in files.values():
        file.unlink(missing_ok=True)
    failed = [n for n in names if not _microbench(session, n, f"--reference={reference}", *more)]
    found = [file.name for file in files.values() if file.exists() and file.stat().st_size]
    if found:
        shown = ("--group-by=group", "--sort=min", f"--columns={COLUMNS}")
        with session.chdir(BENCHMARKS):  # elsewhere it would load the tests' conftest.py
            compared = (python(names[0]), "-m", "pytest_benchmark", "compare")
            session.run(*compared, *found, *shown, external=True)
    if failed:
        session.error(f"rows of {', '.join(failed)} failed")


def _microbench(session: nox.Session, name: str, *arguments: str) -> bool:
    """One framework's rows, in the environment that workers get; False if any failed."""
    sys.path.insert(0, str(Path(__file__).parent))  # nox does not do it
    from suite.worker.environment import environment

    device = "cuda" if "cuda" in session.posargs else "cpu"
    interpreter = python(name)
    pip = ("-m", "pip", "install", "--quiet", "--constraint", "constraints.txt")
    session.run(interpreter, *pip, *EXTRAS["microbench"], external=True)
    try:
        session.run(
            *(
                interpreter,
                "-m",
                "pytest",
                "tests/studies/operators",
                "--confcutdir=tests/studies/operators",
                "-rs",
            ),
            *(f"--framework={name}", f"--device={device}", "--benchmark-sort=name"),
            *("--benchmark-group-by=group", f"--benchmark-columns={COLUMNS}"),
            *(f"--benchmark-json={BENCHMARKS / name}.json", *arguments),
            env=environment(device),
            include_outer_env=False,
            success_codes=(0, 5),  # 5: what was asked for left none
            external=True,
        )
    except CommandFailed:
        return False
    return True


@nox.session(venv_backend="none", default=False, requires=["suite", *FRAMEWORKS])
def trials(session: nox.Session) -> None:
    """Does it measure right? ``-- verdicts``, ``-- widths`` or ``-- harness``."""
    name, *rest = session.posargs or ("verdicts",)
    run(session, "suite", f"tests.studies.trials.{name}", *rest)


@nox.session(name="peers-trial", venv_backend="none", default=False, requires=["suite", *PEERS])
def peers_trial(session: nox.Session) -> None:
    """Is every adapter as fast as its fastest peer? 90 minutes on two cores."""
    run(session, "suite", "tests.studies.trials.peers", *peer_pythons(), *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["develop"])
def browser(session: nox.Session) -> None:
    """Open the pages in headless Chromium, installed before (apt install chromium)."""
    run(session, "develop", "pytest", *TWO, "tests/browser", *session.posargs)


@nox.session(venv_backend="none", default=False, requires=["develop"])
def coverage(session: nox.Session) -> None:
    """Which lines do the unit tests run? Told, and no reason to fail; build/coverage/html shows."""
    Path("build", "coverage").mkdir(parents=True, exist_ok=True)
    run(session, "develop", "coverage", "run", "-m", "pytest", *(session.posargs or ["tests/unit"]))
    run(session, "develop", "coverage", "html", "--quiet")
    run(session, "develop", "coverage", "report")


@nox.session(venv_backend="none", default=False, requires=["develop"])
def lint(session: nox.Session) -> None:
    """Is the style right?"""
    run(session, "develop", "ruff", "check", ".")
    run(session, "develop", "ruff", "format", "--check", ".")


@nox.session(name="format", venv_backend="none", default=False, requires=["develop"])
def format_(session: nox.Session) -> None:
    """Put the style right."""
    run(session, "develop", "ruff", "check", "--fix", ".")
    run(session, "develop", "ruff", "format", ".")


@nox.session(venv_backend="none", default=False, requires=["develop"])
def typecheck(session: nox.Session) -> None:
    """Are the types right? Strictly."""
    run(session, "develop", "mypy")
