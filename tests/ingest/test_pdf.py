"""PDF files drawn here, read back by value: columns, hyphens, furniture, outlines, pictures, damage."""

from __future__ import annotations

import datetime
import io
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.layout import Line, in_reading_order, paragraphs, vocabulary, without_furniture
from tests.ingest.reading import outline, read_one, reason
from tests.ingest.reading import paragraphs as parts_of

canvas = pytest.importorskip("reportlab.pdfgen.canvas")
pytest.importorskip("pypdfium2")

WORDS = "apple boat claim ferry harbour island journey kettle lantern meadow north orchard port quay rope salt".split()
Draw = Callable[..., None]


def prose(seed: str, lines: int, *, words: int = 7) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=words)) for _ in range(lines)]


def pdf(path: Path, *pages: Draw, **settings: object) -> Path:
    made = canvas.Canvas(str(path), invariant=1, **settings)
    for draw in pages:
        made.setFont("Helvetica", 10)
        draw(made)
        made.showPage()
    made.save()
    return path


def column(made: object, lines: list[str], *, x: float = 72, y: float = 760, leading: float = 12) -> None:
    for number, line in enumerate(lines):
        made.drawString(x, y - leading * number, line)  # type: ignore[attr-defined]


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("columns", [2, 3])
def test_columns_are_read_one_after_the_other(tmp_path: Path, interleaved: bool, columns: int) -> None:
    texts = [prose(f"{number}", 40, words=5 if columns == 2 else 4) for number in range(columns)]
    width = 250 if columns == 2 else 165

    def draw(made: object) -> None:
        made.setFont("Helvetica-Bold", 16)  # type: ignore[attr-defined]
        made.drawString(72, 790, "A title that is as wide as the whole of the page is, or nearly")  # type: ignore[attr-defined]
        made.setFont("Helvetica", 10)  # type: ignore[attr-defined]
        if interleaved:
            for number in range(40):
                for place in range(columns):
                    made.drawString(50 + width * place, 760 - 12 * number, texts[place][number])  # type: ignore[attr-defined]
        else:
            for place in range(columns):
                column(made, texts[place], x=50 + width * place)

    found = read_one(pdf(tmp_path / "a.pdf", draw))
    wanted = [word for text in texts for line in text for word in line.split()]
    assert words_of(found.text)[-len(wanted) :] == wanted
    assert found.title.startswith("A title")


def test_a_table_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [[f"{word}{number}", str(number), f"{number * 3}"] for number, word in enumerate(WORDS)]

    def draw(made: object) -> None:
        column(made, prose("above", 12, words=14))
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                made.drawString(72 + 180 * place, 560 - 14 * number, cell)  # type: ignore[attr-defined]

    found = read_one(pdf(tmp_path / "a.pdf", draw))
    told = words_of(found.text)
    assert told[-3 * len(rows) :] == [cell for row in rows for cell in row]


def test_no_word_is_lost_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(5)

    def scattered(made: object) -> None:
        for number in range(60):
            made.setFont("Helvetica", chance.choice([8, 10, 14]))  # type: ignore[attr-defined]
            made.drawString(chance.randint(40, 300), chance.randint(60, 780), f"{chance.choice(WORDS)}{number}x")  # type: ignore[attr-defined]

    path = pdf(tmp_path / "a.pdf", scattered)
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        plain = document[0].get_textpage().get_text_range()
    assert Counter(words_of(read_one(path).text)) == Counter(words_of(plain))


def test_broken_words_are_whole_again(tmp_path: Path) -> None:
    lines = [
        "The ferry to the harbour of Quayle leaves at nine and every pas-", "senger who is well-known to the crew, or to the well-",
        "known captain, may travel with the low-", "lands post, which is written lowlands here by everybody at",
        "the harbour.",
    ]  # fmt: skip
    found = read_one(pdf(tmp_path / "a.pdf", lambda made: column(made, lines)))
    text = found.text.replace("\n", " ")
    assert "every passenger who" in text
    assert "the well-known captain" in text
    assert "the lowlands post" in text
    assert parts_of(found) == [found.text]


@pytest.mark.parametrize("pages", [3, 8])
def test_what_stands_on_every_page_is_left_out(tmp_path: Path, pages: int) -> None:
    def page(number: int) -> Draw:
        def draw(made: object) -> None:
            made.drawString(72, 810, "Port of Quayle - Handbook 2024")  # type: ignore[attr-defined]
            made.drawString(290, 30, f"Page {number} of {pages}")  # type: ignore[attr-defined]
            column(made, prose(f"page {number}", 30, words=14))

        return draw

    found = read_one(pdf(tmp_path / "a.pdf", *map(page, range(1, pages + 1))))
    assert "Handbook" not in found.text
    assert "Page" not in found.text
    assert words_of(found.text) == [
        word
        for number in range(1, pages + 1)
        for line in prose(f"page {number}", 30, words=14)
        for word in line.split()
    ]
    assert len(found.pages) == pages
    for number, start in enumerate(found.pages, start=1):
        assert found.text[start:].split()[0] == prose(f"page {number}", 1, words=14)[0].split()[0]


def test_pages_that_say_one_thing_keep_it(tmp_path: Path) -> None:
    found = read_one(pdf(tmp_path / "a.pdf", *[lambda made: made.drawString(72, 700, "Sample")] * 3))
    assert (found.text, len(found.pages)) == ("Sample\n\nSample\n\nSample", 3)


def test_pages_count_though_they_are_empty(tmp_path: Path) -> None:
    path = pdf(
        tmp_path / "a.pdf", lambda made: column(made, ["one"]), lambda made: None, lambda made: column(made, ["three"])
    )
    found = read_one(path)
    assert (found.text, found.pages) == ("one\n\nthree", (0, 5, 5))


def test_the_outline_names_the_headings(tmp_path: Path) -> None:
    def chapter(title: str, inner: str) -> Draw:
        def draw(made: object) -> None:
            made.bookmarkPage(title)  # type: ignore[attr-defined]
            made.addOutlineEntry(title, title, level=0)  # type: ignore[attr-defined]
            made.bookmarkPage(inner)  # type: ignore[attr-defined]
            made.addOutlineEntry(inner, inner, level=1)  # type: ignore[attr-defined]
            made.drawString(72, 790, f"1. {title}")  # type: ignore[attr-defined]
            column(made, prose(title, 4, words=14))

        return draw

    found = read_one(pdf(tmp_path / "a.pdf", chapter("Ferries", "Not printed"), chapter("Fees", "Nor this")))
    assert sorted(outline(found)) == [(1, "1. Fees"), (1, "1. Ferries"), (2, "Nor this"), (2, "Not printed")]


def test_large_type_is_a_heading_without_an_outline(tmp_path: Path) -> None:
    def draw(made: object) -> None:
        for size, y, text in (
            (20, 800, "Port Guide"),
            (14, 770, "Fees"),
            (10, 750, "A car costs nine."),
            (14, 700, "Ice"),
        ):
            made.setFont("Helvetica", size)  # type: ignore[attr-defined]
            made.drawString(72, y, text)  # type: ignore[attr-defined]
        made.setFont("Helvetica", 10)  # type: ignore[attr-defined]
        column(made, prose("x", 20, words=14), y=680)

    found = read_one(pdf(tmp_path / "a.pdf", draw))
    assert outline(found) == [(1, "Port Guide"), (2, "Fees"), (2, "Ice")]
    assert found.title == "Port Guide"


def test_metadata(tmp_path: Path) -> None:
    made = canvas.Canvas(str(tmp_path / "a.pdf"))
    made.setTitle("Port fees")
    made.setAuthor("Ann Quayle")
    made.setKeywords(["ferry", "ice"])
    made.drawString(72, 700, "Text.")
    made.save()
    found = read_one(tmp_path / "a.pdf")
    assert (found.title, found.metadata["author"], found.metadata["tags"]) == (
        "Port fees",
        "Ann Quayle",
        ("ferry", "ice"),
    )
    created = found.metadata["created"]
    assert isinstance(created, datetime.datetime)
    assert abs(datetime.datetime.now(datetime.UTC) - created) < datetime.timedelta(hours=1)
    made = canvas.Canvas(str(tmp_path / "b.pdf"))
    made.setTitle("Microsoft Word - draft7.docx")
    made.drawString(72, 700, "Text.")
    made.save()
    assert read_one(tmp_path / "b.pdf").title == ""


def test_passwords(tmp_path: Path) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    def draw(made: object) -> None:
        column(made, ["Secret words."])

    path = pdf(tmp_path / "a.pdf", draw, encrypt=StandardEncryption("open", "own"))
    assert reason(path) == "encrypted"
    path = pdf(tmp_path / "b.pdf", draw, encrypt=StandardEncryption("", "own", canPrint=0))
    assert read_one(path).text == "Secret words."


def picture(made: object) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    made.drawImage(ImageReader(Image.new("RGB", (60, 60), "red")), 72, 500)  # type: ignore[attr-defined]


def test_pictures_have_no_text(tmp_path: Path) -> None:
    assert reason(pdf(tmp_path / "a.pdf", picture, picture)) == "scanned"
    assert reason(pdf(tmp_path / "b.pdf", lambda made: None)) == "no-text"
    found = read_one(pdf(tmp_path / "c.pdf", picture, lambda made: column(made, ["Words."])))
    assert found.metadata["scanned_pages"] == 1
    with pytest.raises(UnreadableDocument) as caught:
        read_one(tmp_path / "a.pdf")
    assert caught.value.status == "skipped"


def test_damage_ends_in_text_or_a_reason(tmp_path: Path) -> None:
    data = pdf(tmp_path / "a.pdf", *(lambda made, n=n: column(made, prose(str(n), 20)) for n in range(3))).read_bytes()
    chance = random.Random(3)
    told: Counter[str] = Counter()
    for _ in range(80):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 10, 200])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        (tmp_path / "b.pdf").write_bytes(
            b"%PDF-1.4" + damaged[8 : chance.choice([len(data), chance.randrange(9, len(data))])]
        )
        try:
            read_one(tmp_path / "b.pdf")
        except UnreadableDocument as error:
            told[error.reason] += 1
    assert set(told) <= {"broken-pdf", "no-text", "encrypted", "scanned"}
    assert told["broken-pdf"]


def test_without_pdfium_another_library_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pypdf")
    path = pdf(tmp_path / "a.pdf", lambda made: column(made, prose("x", 6)))
    monkeypatch.setitem(__import__("sys").modules, "pypdfium2", None)
    assert words_of(read_one(path).text) == [word for line in prose("x", 6) for word in line.split()]
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert reason(tmp_path / "b.pdf") == "broken-pdf"
    assert reason(pdf(tmp_path / "c.pdf", lambda made: None)) == "no-text"


# The layout alone, without a file.


def line(text: str, y: float, *, left: float = 50, right: float = 500, size: float = 10, row: int = -1) -> Line:
    return Line(text, left, y, right, y + 10, size, row if row >= 0 else round(1000 - y))


def test_paragraphs_end_where_lines_are_short_listed_or_apart() -> None:
    lines = [
        line("One goes on", 700), line("and ends here.", 688, right=200), line("Two.", 676, right=120),
        line("• first of a list that is as wide", 664), line("• second", 652, right=150), line("Apart.", 600, right=100),
    ]  # fmt: skip
    assert paragraphs(lines, words=Counter()) == [
        ("One goes on and ends here.", False), ("Two.", True), ("• first of a list that is as wide", True),
        ("• second", True), ("Apart.", False),
    ]  # fmt: skip


def test_words_are_joined_as_the_document_writes_them() -> None:
    def pair(*more: str) -> str:
        lines = [line("a re-", 700), line("sult here", 688), *(line(text, 600 - 30 * n) for n, text in enumerate(more))]
        return paragraphs(lines, words=vocabulary([lines]))[0][0]

    assert pair() == pair("the result .") == "a result here"
    assert pair("a re-sult here", "the re-sult .") == "a re-sult here"


def test_few_lines_side_by_side_are_no_columns() -> None:
    lines = [line(f"label {n}", 700 - 12 * n, right=120, row=n) for n in range(4)]
    lines += [line(f"a value that is longer {n}", 700 - 12 * n, left=300, row=n) for n in range(4)]
    ordered = sorted(lines, key=lambda item: (item.row, item.left))
    assert [item.text for item in in_reading_order(ordered)] == [
        f"label {n} a value that is longer {n}" for n in range(4)
    ]


def test_of_two_pages_only_the_outermost_lines_are_furniture() -> None:
    texts = [[line(text, 700 - 20 * row) for row, text in enumerate(prose(seed, 8))] for seed in "ab"]
    again = line("The same on both", 780)
    pages = [[line("Header", 800), again, *text, line(f"Page {n}", 30)] for n, text in enumerate(texts, start=1)]
    assert without_furniture(pages) == [[again, *text] for text in texts]
    forms = [[line("Name", 800), line("Text", 700)]] * 2
    assert without_furniture(forms) == [list(form) for form in forms]
    other = [pages[0], [line("Another", 800), *pages[1][1:]]]
    assert without_furniture(other) == [pages[0][:-1], other[1][:-1]]


def test_drawn_into_memory(tmp_path: Path) -> None:
    data = io.BytesIO()
    made = canvas.Canvas(data)
    made.drawString(72, 700, "Of\ufb01ce")
    made.save()
    (tmp_path / "a.txt.pdf").write_bytes(data.getvalue())
    assert read_one(tmp_path / "a.txt.pdf").text
