"""Tasks of other packages that are none: one sentence, whatever their module does."""

from __future__ import annotations

import sys

import pytest

from suite.plan import catalogue
from suite.plan.catalogue import CatalogueError


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("raise SystemExit(3)", "the tasks of tribench_odd:tasks cannot be loaded: 3"),
        ("tasks = lambda: None", "cannot be loaded: 'NoneType' object is not iterable"),
        ("tasks = lambda: ['rnn']", "tribench_odd:tasks: str is no Task"),
        (
            "from dataclasses import replace\nfrom tasks import rnn\n"
            "tasks = lambda: [replace(rnn.tasks()[0], name='../lab')]",
            "the name of a task (='../lab') must begin with a letter",
        ),
    ],
)
def test_what_is_no_task_is_told(module, words, tmp_path, monkeypatch, capsys):
    announced = tmp_path / "tribench_odd-1.0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: tribench-odd\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text("[tribench.tasks]\nodd = tribench_odd:tasks\n")
    (tmp_path / "tribench_odd.py").write_text(f"print('welcome')\n{module}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tribench_odd", raising=False)
    with pytest.raises(CatalogueError) as told:
        catalogue.tasks()
    assert words in str(told.value)
    assert capsys.readouterr().out == ""  # where answers go
