"""What mkdocs does beside its plugins: mkdocs.yml names this file.

1. The command line's reference is made from the program, since mkdocs-typer2 sees a command that
   is imported when it is called as one without options.
2. Links to what is not a page: of published runs to their pages of the site, which lies one folder
   up; of other files to the repository, where ``repo_url`` is set, else their words alone.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

COMMANDS = "<!-- commands -->"
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)\s]*)\)")
RUN = re.compile(r"\.\./results/published/([A-Za-z0-9-]+)(/summary\.md)?/?")
RUNS = ("../results/README.md", "../results/published")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """A page as mkdocs gets it."""
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, reference())
    return links(markdown, page.file.src_uri, config.repo_url)


def links(markdown: str, page: str, repository: str | None) -> str:
    """The text with the links that leave docs/; ``page`` is its path in docs/. HTML, for mkdocs
    asks Markdown's links where in docs/ they lead.
    """
    up = "../" * (page.count("/") + 1)

    def link(found: re.Match[str]) -> str:
        words, (path, _, anchor) = found[1], found[2].partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if not target.startswith("../"):
            return found[0]
        if run := RUN.fullmatch(target):
            address = f"{up}{run[1]}/index.html"
        elif target in RUNS:
            address = f"{up}index.html"
        elif repository:
            address = f"{repository.rstrip('/')}/blob/main/{target[3:]}{anchor and '#' + anchor}"
        else:
            return words
        return f'<a href="{address}">{words}</a>'

    return LINK.sub(link, markdown)


def reference() -> str:
    """Every command of the program with its arguments and options, as Markdown."""
    import typer

    from suite.cli import COMMANDS, app

    program: Any = typer.main.get_command(app)
    above = program.make_context("tribench", [], resilient_parsing=True)
    return "\n\n".join("\n".join(_command(program, above, name)) for name in COMMANDS)


def _command(program: Any, above: Any, name: str) -> Iterator[str]:
    _, command, _ = program.resolve_command(above, [name])
    context = command.make_context(name, [], parent=above, resilient_parsing=True)
    yield f"## `tribench {name}`\n\n{' '.join(command.help.split())}\n"
    yield f"```\ntribench {' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
    yield "| argument or option | what |\n|---|---|"
    for parameter in command.get_params(context):
        told = parameter.get_help_record(context)
        if told is not None:
            called, words = told
            yield f"| `{called}` | {_plain(words)} |"


def _plain(text: str) -> str:
    """One line, in which no sign is markup."""
    return re.sub(r"([|*<])", r"\\\1", " ".join(text.split()))
