"""Pictures that are pictures, a page that needs nothing else, and names that are only names."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from c2vsearch.evaluation import Questions, write_plots
from c2vsearch.evaluation.curves import by_depth
from c2vsearch.evaluation.evaluate import measure_run
from c2vsearch.evaluation.plots import BY_DEPTH, BY_LENGTH, PAGE, _label, _looks

pytest.importorskip("ir_measures")
pytest.importorskip("matplotlib")

QUESTIONS = Questions({"1": "x", "2": "y"}, {"1": {"a": 1}, "2": {"b": 2}})
LENGTHS = {"a": 100, "b": 2000, "c": 300}
MODELS = ("m", "_under", "st:$x$ <script>alert(1)</script>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = {"dense": {"1": {"c": 1.0, "a": 0.5}, "2": {"b": 1.0}}, "hybrid": {"1": {"a": 1.0}}}
    rows = [
        measure_run(mode, run, QUESTIONS, ["nDCG@10", "RR"], model=model)
        for model in MODELS
        for mode, run in runs.items()
    ]
    place = tmp_path_factory.mktemp("plots") / "new"
    paths = write_plots(place, rows, QUESTIONS, LENGTHS, title="set & <b>")
    assert [path.name for path in paths] == [BY_DEPTH, BY_LENGTH, PAGE]
    return place


def test_the_pictures_are_large_and_not_blank(folder: Path) -> None:
    from matplotlib.image import imread

    for name in (BY_DEPTH, BY_LENGTH):
        pixels = imread(folder / name)
        assert pixels.shape[0] > 400
        assert pixels.shape[1] > 800
        # White paper, black letters, and the colours of three models.
        colours = {tuple(pixel) for pixel in (pixels[::2, ::2, :3].reshape(-1, 3) * 255).round().astype(int).tolist()}
        assert {(255, 255, 255), (31, 119, 180), (255, 127, 14), (44, 160, 44)} <= colours


def test_the_page_holds_all_and_asks_for_nothing(folder: Path) -> None:
    page = (folder / PAGE).read_text(encoding="utf-8")
    seen: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attrs)))

    Reader().feed(page)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in seen}
    sources = [attributes["src"] or "" for tag, attributes in seen if tag == "img"]
    assert [base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources] == [
        (folder / BY_DEPTH).read_bytes(),
        (folder / BY_LENGTH).read_bytes(),
    ]
    assert "<title>set &amp; &lt;b&gt;</title>" in page
    cells = re.findall(r"<td>([^<]*)", page)
    assert cells[:3] == ["m", "dense", f"{(1 / 1.584962500721156 + 1) / 2:.4f} [0.631, 1.000]"]


def test_each_row_has_a_look_and_a_label_of_its_own(folder: Path) -> None:
    rows = [measure_run(mode, {}, QUESTIONS, ["RR"], model=model) for model in MODELS for mode in ("dense", "bm25")]
    looks = [(look["color"], look["linestyle"]) for look in _looks(rows)]
    assert len(set(looks)) == 6
    assert looks[0][0] == looks[1][0] != looks[2][0]  # a colour for a model
    one = [(look["color"], look["linestyle"]) for look in _looks(rows[:2])]
    assert one[0][0] != one[1][0]  # with one model, a colour for a mode
    assert not _label(rows[2]).startswith("_")


def test_the_curve_is_that_of_the_run() -> None:
    row = measure_run("dense", {"1": {"c": 1.0, "a": 0.5}, "2": {"b": 1.0}}, QUESTIONS, ["RR"])
    assert by_depth(row, QUESTIONS, "R", depths=(1, 2)) == [0.5, 1.0]
