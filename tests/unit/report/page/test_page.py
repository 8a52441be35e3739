"""A run's page without a browser: what is on it, and that nothing acts."""

from __future__ import annotations

import html
from html.parser import HTMLParser

import pytest

from suite.analysis import words
from suite.records.run import Run
from suite.report.page.page import render
from tests.fixtures.sample_run import HOSTILE
from tests.fixtures.summaries import emptied, of_language_models, of_speech, of_translations


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return render(run)


class Parsed(HTMLParser):
    """What a browser would make of a page: elements, attributes, texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag != "script":
            self.texts.append(data)


class TestPage:
    def test_every_cell_and_verdict_is_there(self, run: Run, page: str) -> None:
        assert run.summary.cells
        assert run.summary.comparisons
        for cell in run.summary.cells:
            assert f'data-value="{cell.samples_per_second or ""}"' in page
            assert words.spaced(cell.status) in page
            assert html.escape(cell.reason or "", quote=True) in page
        for comparison in run.summary.comparisons:
            assert words.sentence(comparison) in page
            assert words.ratio(comparison) in page
        assert html.escape(run.manifest.command).replace("&#x27;", "&#39;") in page

    def test_it_needs_no_network(self, page: str) -> None:
        loading = ("src", "href", "action", "data", "poster", "srcset", "formaction")
        found = [
            value
            for _, attributes in Parsed(page).elements
            for name, value in attributes.items()
            if name in loading
        ]
        assert found
        assert all(value and value.startswith(("#", "data:")) for value in found)
        style = page.split("<style>")[1].split("</style>")[0]
        assert "url(" not in style
        assert "@import" not in style

    def test_hostile_texts_stay_texts(self, page: str, hostile: Run) -> None:
        attacked, harmless = Parsed(render(hostile)), Parsed(page)
        tags = [tag for tag, _ in attacked.elements]
        assert "img" not in tags
        assert tags.count("script") == [tag for tag, _ in harmless.elements].count("script")
        assert not [
            name for _, attributes in attacked.elements for name in attributes if name[:2] == "on"
        ]
        assert any(HOSTILE in text for text in attacked.texts)
        assert not any("49" in text and "quoted" in text for text in attacked.texts)

    def test_an_unfinished_run_says_so_and_damage_is_told(self, run: Run) -> None:
        text = render(emptied(run))
        assert "PARTIAL" in text
        assert "line 7: checksum differs" in text
        assert f"<h1>{run.manifest.id}" in text


class TestLanguageModels:
    def test_they_are_told_by_their_bits(self, run: Run) -> None:
        text = render(of_language_models(run))
        assert "Difference of test bits per byte, seed by seed, in bits, with" in text
        assert "puts it within" not in text
        assert "within ±0.02 bits; DIFFERENT" in text
        assert "-0.031 (-0.045 to -0.017)" in text
        assert "0.003 bits</td>" in text  # of rounding
        assert "how often after each other" in text
        for head in (">bits per byte</button></th>", ">bits per byte</th>"):
            assert head in text
        assert "test bits per byte" in text
        assert "validation bits per byte" in text
        assert "percentage points" not in text

    def test_translations_are_told_by_their_tokens(self, run: Run) -> None:
        text = render(of_translations(run))
        assert "Difference of test token accuracy, seed by seed, in percentage points, with" in text
        assert "puts it within" not in text
        assert "within ±1 points; DIFFERENT" in text
        assert "0.28 points</td>" in text  # of rounding
        assert '<td class="number" data-value="0.125">12.5 %</td>' in text
        for name in ("token accuracy", "whole sequences", "perplexity"):
            head = f">{name}</button></th>"
            assert head in text
        assert '<td class="number" data-value="7.38905609893065">7.39</td>' in text
        assert ">token accuracy</th>" in text  # of the reference lines
        assert "beside the nearest source of the training part" in text
        assert "test token accuracy, %" in text
        assert "validation token accuracy" in text
        assert "bits per byte" not in text.replace("Test bits per byte", "")

    def test_speech_is_told_by_its_errors(self, run: Run) -> None:
        text = render(of_speech(run))
        assert "Difference of test error rate, seed by seed, in percentage points, with" in text
        assert "puts it within" not in text
        assert "within ±2 points; DIFFERENT" in text
        for head in (">error rate</button></th>", ">error rate</th>"):
            assert head in text
        assert '<td class="number" data-value="0.305">30.5 %</td>' in text
        assert '<td class="number">95.0 %</td>' in text  # of the reference lines
        assert "test error rate, %" in text
        assert "validation error rate" in text
        assert "bits per byte" not in text.replace("Test bits per byte", "")

    def test_others_are_told_as_ever(self, page: str) -> None:
        assert "seed by seed, in percentage points, with its 95 % interval" in page
        assert "within ±2 points; DIFFERENT" in page
        assert "0.28 points</td>" in page
        assert ">bits per byte" not in page
        assert ">token accuracy" not in page
        assert ">perplexity" not in page
