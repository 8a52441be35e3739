"""The documents name paths, sessions and commands that exist, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import hooks
from suite.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "results/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # which tells of what was
)
PATH = re.compile(r"(?<![\w/.-])(?:suite|backends|tasks|tests)/[\w./<>*-]*")
PLACE = re.compile(r"<\w+>|\b[A-Z]{2,}(?=\b|_)")  # what a reader puts something in for
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
SESSION = re.compile(r"nox -s ((?:[a-z][\w-]*(?: |\b))+)")
COMMAND = re.compile(r"`tribench\s+([a-z]+)\b|^tribench ([a-z]+)\b", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)


def read(document):
    return (ROOT / document).read_text(encoding="utf-8")


def slugs(document):
    """The anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", CODE.sub("", read(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def sessions():
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    functions = set(re.findall(r"^def ([a-z]\w*)\(session", text, re.MULTILINE))
    return functions | set(re.findall(r'name="([\w-]+)"', text)) | {"torch", "jax", "tensorflow"}


def paths(document):
    for found in PATH.findall(read(document)):
        yield PLACE.sub("*", found.rstrip(".-"))


def test_there_are_documents():
    assert Path("README.md") in DOCUMENTS
    assert Path("docs/studies/index.md") in DOCUMENTS
    assert sum(len(list(paths(document))) for document in DOCUMENTS) > 100


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_paths_exist(document):
    missing = [path for path in paths(document) if not any(ROOT.glob(path.rstrip("/")))]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document):
    broken = []
    for link in LINK.findall(CODE.sub("", read(document))):
        name, _, anchor = link.partition("#")
        target = (ROOT / document).parent / name if name else ROOT / document
        if not target.exists() or (anchor and anchor not in slugs(target.resolve())):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_sessions_exist(document):
    named = {name for found in SESSION.findall(read(document)) for name in found.split()[:1]}
    assert named - sessions() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_exist(document):
    prose = CODE.sub("", read(document))
    typed = "".join(CODE.findall(read(document)))
    named = {quoted for quoted, _ in COMMAND.findall(prose) if quoted}
    assert (named | {bare for _, bare in COMMAND.findall(typed) if bare}) - {*COMMANDS} == set()


def test_the_layers_that_are_examples_stand_in_the_repository_as_in_the_document():
    """Each paragraph of code, but for its indentation and the comment that says where."""

    def bare(code):
        return "\n".join(re.sub("  # backends/.*", "", line).strip() for line in code.splitlines())

    files = [*ROOT.glob("tasks/spec/*.py"), *ROOT.glob("backends/*/layers/*.py")]
    files += [*ROOT.glob("suite/parity/*/layers.py")]
    there = [bare(file.read_text(encoding="utf-8")) for file in files]
    told = read("docs/extending.md").partition("## Add a layer")[2].partition("## Change one")[0]
    pieces = [
        piece
        for code in re.findall(r"```python\n(.*?)```", told, re.DOTALL)
        for piece in bare(code).strip().split("\n\n")
    ]
    assert len(pieces) > 15
    for piece in pieces:
        assert any(piece in text for text in there), piece


def test_the_map_names_every_room():
    rooms = {path.parent.name for path in (ROOT / "suite").glob("*/__init__.py")}
    files = {path.name for path in (ROOT / "suite").glob("*.py")} - {"__init__.py"}
    contributing, architecture = read("CONTRIBUTING.md"), read("docs/architecture.md")
    for room in rooms:
        assert re.search(rf"^{room}/ +\w", contributing, re.MULTILINE), room
        assert f"`suite/{room}/`" in architecture, room
    for file in files:
        assert file in contributing, file
        assert f"`suite/{file}`" in architecture, file


def test_every_page_is_in_the_navigation():
    told = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"([\w/-]+\.md)", told))
    assert named == {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}


# What the site makes of them (docs/hooks.py)


@pytest.mark.parametrize(
    ("page", "link", "wanted"),
    [
        ("results.md", "../results/published/1-a/summary.md", "../1-a/index.html"),
        ("studies/h100.md", "../../results/published/1-a/summary.md", "../../1-a/index.html"),
        ("index.md", "../results/README.md", "../index.html"),
    ],
)
def test_a_published_run_is_linked_to_its_page(page, link, wanted):
    assert hooks.links(f"a [run]({link}).", page, None) == f'a <a href="{wanted}">run</a>.'


def test_another_file_is_linked_to_the_repository_or_not_at_all():
    text = "see [the\nREADME](../README.md#start)"
    assert hooks.links(text, "index.md", None) == "see the\nREADME"
    wanted = 'see <a href="https://example.org/t/blob/main/README.md#start">the\nREADME</a>'
    assert hooks.links(text, "index.md", "https://example.org/t/") == wanted


def test_a_link_between_pages_stays():
    text = "[parity](../parity.md#what-is-answered) ![run](../run.png)"
    assert hooks.links(text, "studies/h100.md", None) == text


def test_the_command_lines_reference_has_every_command_with_its_options():
    made = hooks.reference()
    assert re.findall(r"^## `tribench (\w+)`$", made, re.MULTILINE) == [*COMMANDS]
    run = made.partition("## `tribench run`")[2].partition("\n## ")[0]
    for option in ("--task", "--profile", "--time-budget", "--resume", "--json", "--help"):
        assert f"`{option}" in run
    conformance = made.partition("## `tribench conformance`")[2].partition("\n## ")[0]
    assert "| `name" in conformance
