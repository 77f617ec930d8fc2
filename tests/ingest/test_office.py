"""Office files made by their own libraries, read back by value; broken and hostile ones."""

from __future__ import annotations

import datetime
import io
import random
import re
import zipfile
from pathlib import Path

import pytest

from c2vsearch.chunking import chunk_document
from c2vsearch.config import ChunkingConfig
from c2vsearch.encoder.hashing import WordTokenizer
from c2vsearch.errors import MissingDependency, UnreadableDocument
from c2vsearch.ingest.styles import without_looks
from tests.ingest.reading import outline, paragraphs, read, read_one, reason
from tests.ingest.seeds import MAKERS

docx = pytest.importorskip("docx")
pptx = pytest.importorskip("pptx")
openpyxl = pytest.importorskip("openpyxl")


def test_a_word_document(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.author = "Ann Quayle"
    document.core_properties.keywords = "ferry, harbour; fees"
    document.core_properties.created = datetime.datetime(2024, 5, 1, 10)
    document.core_properties.language = "en"
    document.add_heading("Ferries", 1)
    document.add_paragraph("They leave at nine.\tOn Sundays at ten.")
    document.add_heading("Fees", 2)
    document.add_paragraph("a car", style="List Bullet")
    document.add_paragraph("a bicycle", style="List Bullet")
    table = document.add_table(rows=2, cols=3)
    for cell, text in zip(table._cells, ["Port", "Fee", "Note", "Quayle", "9", "  paid\nat once "], strict=True):
        cell.text = text
    merged = document.add_table(rows=1, cols=2)
    merged.cell(0, 0).merge(merged.cell(0, 1)).text = "both"
    document.add_paragraph("Fin 🚢")
    document.save(str(tmp_path / "a.docx"))
    found = read_one(tmp_path / "a.docx")
    assert paragraphs(found) == [
        "Ferries", "They leave at nine.\tOn Sundays at ten.", "Fees\n- a car\n- a bicycle",
        "Port | Fee | Note\nQuayle | 9 | paid at once", "both", "Fin 🚢",
    ]  # fmt: skip
    assert outline(found) == [(1, "Ferries"), (2, "Fees")]
    assert (found.kind, found.title) == ("docx", "Ferries")
    assert found.metadata["author"] == "Ann Quayle"
    assert found.metadata["tags"] == ("ferry", "harbour", "fees")
    assert found.metadata["created"] == datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC)


def test_headings_of_another_language_are_known_by_their_level(tmp_path: Path) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    document = docx.Document()
    style = document.styles.add_style("Überschrift 2", 1)
    level = OxmlElement("w:outlineLvl")
    level.set(qn("w:val"), "1")
    style.element.get_or_add_pPr().append(level)
    document.add_paragraph("Fahrplan", style="Überschrift 2")
    document.add_paragraph("Um neun.")
    document.save(str(tmp_path / "a.docx"))
    assert outline(read_one(tmp_path / "a.docx")) == [(2, "Fahrplan")]


def xml(source: str) -> object:
    """An element for the body of a Word document, `w:` known."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    names = nsdecls("w") + ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    return parse_xml(re.sub(r"<[\w:]+", lambda tag: f"{tag[0]} {names}", source, count=1))


def words(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_each_word_of_a_word_document_comes_once(tmp_path: Path) -> None:
    document = docx.Document()
    first = document.add_paragraph("well")
    first._p.append(xml("<w:r><w:noBreakHyphen/><w:t>known</w:t></w:r>"))
    first._p.append(xml("<w:moveFrom><w:r><w:t> MOVED</w:t></w:r></w:moveFrom>"))
    first._p.append(xml("<w:del><w:r><w:delText> DELETED</w:delText></w:r></w:del>"))
    first._p.append(xml("<w:ins><w:r><w:t xml:space='preserve'> and inserted</w:t></w:r></w:ins>"))
    box = f"<w:pict><w:txbxContent>{words('box one')}{words('box two')}</w:txbxContent></w:pict>"
    twice = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    first._p.append(xml(f"<w:r>{twice}</w:r>"))
    control = f"<w:sdt><w:sdtContent>{words('in a control')}<w:customXml>{words('deeper')}</w:customXml></w:sdtContent></w:sdt>"
    document.element.body.insert(1, xml(control))
    document.add_paragraph("last")
    document.save(str(tmp_path / "a.docx"))
    assert paragraphs(read_one(tmp_path / "a.docx")) == [
        "well-known and inserted", "box one", "box two", "in a control", "deeper", "last",
    ]  # fmt: skip


def test_tables_in_a_word_document(tmp_path: Path) -> None:
    document = docx.Document()
    tall = document.add_table(rows=3, cols=2)
    tall.cell(0, 0).merge(tall.cell(2, 0)).text = "tall"
    for row in range(3):
        tall.cell(row, 1).text = f"r{row}"
    outer = document.add_table(rows=1, cols=2)
    outer.cell(0, 0).text = "outer"
    inner = outer.cell(0, 0).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text, outer.cell(0, 1).text = "x", "y", "z"
    frame = document.add_table(rows=1, cols=1).cell(0, 0)
    frame.text = "One."
    frame.add_paragraph("Two.")
    document.save(str(tmp_path / "a.docx"))
    assert paragraphs(read_one(tmp_path / "a.docx")) == [
        "tall | r0\n | r1\n | r2", "outer x | y | z", "One.", "Two."
    ]  # fmt: skip


def test_headings_and_lists_by_style(tmp_path: Path) -> None:
    document = docx.Document()
    numbers = "<w:numPr><w:ilvl w:val='{}'/><w:numId w:val='{}'/></w:numPr>"
    numbered = document.add_heading("Numbered", 1)
    numbered._p.get_or_add_pPr().append(xml(numbers.format(0, 1)))
    chapter = document.styles.add_style("Chapter", 1)
    chapter.base_style = document.styles["Heading 2"]
    document.add_paragraph("Derived", style="Chapter")
    body = document.add_paragraph("Not in the outline", style="Heading 3")
    body._p.get_or_add_pPr().append(xml("<w:outlineLvl w:val='9'/>"))
    document.add_paragraph("one", style="List Number")
    document.add_paragraph("one in one", style="List Bullet 2")
    for level, number, text in ((1, 1, "by hand"), (0, 0, "taken out")):
        item = document.add_paragraph(text, style="List Bullet")
        item._p.get_or_add_pPr().append(xml(numbers.format(level, number)))
    document.save(str(tmp_path / "a.docx"))
    found = read_one(tmp_path / "a.docx")
    assert outline(found) == [(1, "Numbered"), (2, "Derived")]
    assert paragraphs(found) == [
        "Numbered", "Derived", "Not in the outline\n- one\n  - one in one\n  - by hand", "taken out"
    ]  # fmt: skip


def test_notes_and_comments_stand_at_the_end(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_comment(document.add_paragraph("Fees rise.").runs, text="By how much?", author="Bo")
    document.add_paragraph("Fin.")
    document.save(str(tmp_path / "a.docx"))
    assert paragraphs(read_one(tmp_path / "a.docx")) == ["Fees rise.", "Fin.", "By how much?"]


def retyped(path: Path, name: str, changes: dict[bytes, bytes], *, member: str = "[Content_Types].xml") -> Path:
    """The same file with other bytes in one member."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(path.parent / name, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            data = old.read(entry)
            for before, after in changes.items() if entry == member else ():
                assert before in data
                data = data.replace(before, after)
            new.writestr(entry, data)
    return path.parent / name


def test_files_with_macros_and_slide_shows(tmp_path: Path) -> None:
    word = {
        b"vnd.openxmlformats-officedocument.wordprocessingml.document.main": b"vnd.ms-word.document.macroEnabled.main"
    }
    assert read_one(retyped(make("docx", tmp_path / "a.docx"), "a.docm", word)).text == ("Words " * 50).strip()
    plain = b"vnd.openxmlformats-officedocument.presentationml.presentation.main"
    slides = make("pptx", tmp_path / "a.pptx")
    show = {plain: b"vnd.openxmlformats-officedocument.presentationml.slideshow.main"}
    assert read_one(retyped(slides, "a.ppsx", show)).text == "Words"
    assert (
        read_one(retyped(slides, "a.pptm", {plain: b"vnd.ms-powerpoint.presentation.macroEnabled.main"})).text
        == "Words"
    )


def rewritten(path: Path, name: str, changes: dict[bytes, bytes]) -> Path:
    """The same file with other bytes in all of its members."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(path.parent / name, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            data = old.read(entry)
            for before, after in changes.items():
                data = data.replace(before, after)
            new.writestr(entry, data)
    return path.parent / name


def test_the_strict_edition_has_other_namespaces(tmp_path: Path) -> None:
    strict = {
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main": b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        b"http://schemas.openxmlformats.org/presentationml/2006/main": b"http://purl.oclc.org/ooxml/presentationml/main",
        b"http://schemas.openxmlformats.org/drawingml/2006/main": b"http://purl.oclc.org/ooxml/drawingml/main",
    }
    for suffix in (".docx", ".pptx"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(MAKERS[suffix]())
        usual, other = read_one(path), read_one(rewritten(path, f"b{suffix}", strict))
        assert (other.text, other.headings, other.pages) == (usual.text, usual.headings, usual.pages)
        assert usual.headings


def test_office_files_need_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word, slides = make("docx", tmp_path / "a.docx"), make("pptx", tmp_path / "a.pptx")
    for module in ("docx", "pptx", "lxml"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    assert (read_one(word).text, read_one(slides).text) == (("Words " * 50).strip(), "Words")


def test_what_nobody_reads_may_be_broken(tmp_path: Path) -> None:
    word = retyped(make("docx", tmp_path / "a.docx"), "b.docx", {b"<": b"<<"}, member="word/theme/theme1.xml")
    assert read_one(word).text == ("Words " * 50).strip()
    slides = retyped(make("pptx", tmp_path / "a.pptx"), "b.pptx", {b"<": b"<<"}, member="ppt/theme/theme1.xml")
    assert read_one(slides).text == "Words"


def test_controls_in_controls_without_end(tmp_path: Path) -> None:
    deep = b"<w:body>" + b"<w:sdt><w:sdtContent>" * 3000 + b"<w:p/>" + b"</w:sdtContent></w:sdt>" * 3000
    path = retyped(make("docx", tmp_path / "a.docx"), "b.docx", {b"<w:body>": deep}, member="word/document.xml")
    assert reason(path) == "broken-docx"


def test_styles_without_their_looks() -> None:
    def style(kind: str, inner: str = "") -> str:
        return f"<w:style w:styleId='x' w:type='{kind}'><w:name w:val='{kind}'/>{inner}</w:style>"

    looks = style("table", "<w:tblStylePr/>") + style("character") + style("numbering")
    told = f"<w:styles>{style('paragraph')}<w:style w:default='1'/>{looks}{style('paragraph')}</w:styles>"
    assert without_looks(told.encode()).decode() == told.replace(looks, "")
    for odd in (f"<w:styles><!--{looks}--></w:styles>", "<w:style w:type='table'/>", "<w:style w:type='table'>"):
        assert without_looks(odd.encode()).decode() == odd


def test_a_picture_in_the_place_of_a_title(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Words"
    slide.shapes.add_textbox(0, 0, 9144, 9144).text_frame.text = "More."
    deck.save(str(tmp_path / "a.pptx"))
    picture = {b"<p:sp><p:nvSpPr>": b"<p:pic><p:nvPicPr><p:nvPr><p:ph/></p:nvPr></p:nvPicPr></p:pic><p:sp><p:nvSpPr>"}
    found = read_one(retyped(tmp_path / "a.pptx", "b.pptx", picture, member="ppt/slides/slide1.xml"))
    assert (outline(found), paragraphs(found)) == ([(1, "Words")], ["Words", "More."])


def test_a_slide_that_is_not_there(tmp_path: Path) -> None:
    path = make("pptx", tmp_path / "a.pptx")
    named = {b"slides/slide1.xml": b"slides/slide9.xml"}
    assert reason(retyped(path, "b.pptx", named, member="ppt/_rels/presentation.xml.rels")) == "broken-pptx"


def test_slides(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    deck.core_properties.author = "Bo"
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Ports"
    first.placeholders[1].text = "Quayle\nWrack"
    first.placeholders[1].text_frame.paragraphs[1].level = 1
    first.notes_slide.notes_text_frame.text = "Mention the ice."
    deck.slides.add_slide(deck.slide_layouts[6])
    third = deck.slides.add_slide(deck.slide_layouts[5])
    third.shapes.title.text = "Fees"
    table = third.shapes.add_table(2, 2, 0, 0, 914400, 914400).table
    for number, text in enumerate(["Port", "Fee", "Quayle", "9 €"]):
        table.cell(number // 2, number % 2).text = text
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 9144, 9144).text_frame.text = "In a group"
    deck.save(str(tmp_path / "a.pptx"))
    found = read_one(tmp_path / "a.pptx")
    assert paragraphs(found) == [
        "Ports", "Quayle\n  Wrack", "Notes: Mention the ice.", "Fees", "Port | Fee\nQuayle | 9 €", "In a group"
    ]  # fmt: skip
    assert outline(found) == [(1, "Ports"), (1, "Fees")]
    starts = [found.text.index("Ports"), found.text.index("Fees"), found.text.index("Fees")]
    assert list(found.pages) == starts
    assert (found.title, found.metadata["author"]) == ("Ports", "Bo")


def test_what_slides_have_beside_text_frames(tmp_path: Path) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI
    from pptx.oxml import parse_xml

    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Fees\vof 2024"
    data = CategoryChartData()
    data.categories = ["Quayle"]
    data.add_series("Fee", (9,))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, 914400, 914400, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Fees by port"
    merged = slide.shapes.add_table(2, 2, 0, 0, 914400, 914400).table
    merged.cell(0, 0).merge(merged.cell(0, 1))
    merged.cell(0, 0).text, merged.cell(1, 0).text, merged.cell(1, 1).text = "both", "left", "right\vlow"
    words = '<a:p xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:r><a:t>{}</a:t></a:r></a:p>'
    number = slide.shapes.add_textbox(0, 0, 9144, 9144)
    number.text_frame.text = "17"
    number.element.nvSpPr.nvPr.append(
        parse_xml('<p:ph xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" type="sldNum" idx="12"/>')
    )
    both = '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>{}</mc:Choice><mc:Fallback>{}</mc:Fallback></mc:AlternateContent>'
    slide.element.cSld.spTree.append(parse_xml(both.format(words.format("New form"), words.format("Old form"))))
    diagram = f"<d>{words.format('Ask')}{words.format('Decide')}</d>".encode()
    part = Part(
        PackURI("/ppt/diagrams/data1.xml"),
        "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml",
        deck.part.package,
        diagram,
    )
    slide.part.relate_to(part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData")
    slide.notes_slide.notes_text_frame.text = "First.\nSecond."
    deck.slides.add_slide(deck.slide_layouts[6])
    deck.save(str(tmp_path / "a.pptx"))
    found = read_one(tmp_path / "a.pptx")
    assert paragraphs(found) == [
        "Fees of 2024", "Fees by port", "both\nleft | right low", "New form", "Ask\nDecide", "Notes: First.\nSecond.",
    ]  # fmt: skip
    assert (len(found.pages), found.pages[0]) == (2, 0)
    assert found.pages[1] >= len(found.text)


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Port", "Fee", "Since", "Open"], ["Quayle", 9.0, datetime.datetime(2024, 5, 1), True], [None] * 4,
        ["Wrack", 2.5, datetime.datetime(2024, 5, 1, 9, 30), False],
    ]  # fmt: skip
    path = workbook(tmp_path / "a.xlsx", {"Fees": rows, "Empty": [], "Lonely": [["just", "a header"]]})
    found = read_one(path)
    assert paragraphs(found) == [
        "Fees", "Port: Quayle | Fee: 9 | Since: 2024-05-01 | Open: True",
        "Port: Wrack | Fee: 2.5 | Since: 2024-05-01T09:30:00 | Open: False", "Lonely", "just | a header",
    ]  # fmt: skip
    assert outline(found) == [(1, "Fees"), (1, "Lonely")]
    assert len(found.pages) == 3


def test_empty_sheets_at_the_end_are_pages_without_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Fare"])
    book.active.append(["Dog", 4.5])
    book.create_sheet("Sheet2")
    book.create_sheet("Sheet3")
    book.save(tmp_path / "fares.xlsx")
    document = read_one(tmp_path / "fares.xlsx")
    assert document.pages == (0, len(document.text), len(document.text))
    [chunk] = chunk_document(document, tokenizer=WordTokenizer(), config=ChunkingConfig())
    assert (chunk.text, chunk.page) == (document.text, 1)


def test_a_sheet_of_texts_is_a_document_a_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"Q": [["id", "text"], [7, "Kelp grows."], [8, "Salt is heavy."]]})
    found = read(path)
    assert [(document.member, document.text) for document in found] == [  # type: ignore[union-attr]
        ("7", "Kelp grows."), ("8", "Salt is heavy."),
    ]  # fmt: skip


def test_titles_above_a_header_numbers_of_rows_and_properties(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.properties.creator, book.properties.title, book.properties.keywords = "Ann", "Fees of 2024", "ferry, fee"
    sheet = book.active
    for row in (["Fees"], [], ["Port", "Fee"], ["Quayle", 9], [], ["Wrack", datetime.timedelta(hours=30, minutes=5)]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    found = read_one(tmp_path / "a.xlsx")
    assert paragraphs(found) == ["Fees", "Port: Quayle | Fee: 9", "Port: Wrack | Fee: 30:05:00"]
    assert [mark.line for mark in found.lines] == [1, 4, 6]
    assert (found.title, found.metadata["author"], found.metadata["tags"]) == ("Fees of 2024", "Ann", ("ferry", "fee"))


def test_records_know_their_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for place, value in {"B3": "id", "C3": "text", "B4": 1, "C4": "One.", "B6": 2, "C6": "Two."}.items():
        book.active[place] = value
    book.save(tmp_path / "a.xlsx")
    assert [(d.text, d.lines[0].line) for d in read(tmp_path / "a.xlsx")] == [("One.", 4), ("Two.", 6)]  # type: ignore[union-attr]


def test_hidden_sheets_and_charts(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Port"])
    book.active.append(["Quayle"])
    book.create_chartsheet("Chart")
    hidden = book.create_sheet("Hidden")
    hidden.sheet_state = "hidden"
    hidden.append(["Fee"])
    hidden.append([9])
    book.save(tmp_path / "a.xlsx")
    found = read_one(tmp_path / "a.xlsx")
    assert paragraphs(found) == ["Sheet", "Port: Quayle", "Hidden", "Fee: 9"]
    assert len(found.pages) == 3


def test_a_sheet_with_cells_in_far_corners_costs_itself(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    far = book.active
    far.title = "Far"
    far["A1"], far["XFD1048576"] = "here", "there"
    book.save(tmp_path / "a.xlsx")
    assert reason(tmp_path / "a.xlsx") == "too-large"
    near = book.create_sheet("Near")
    near.append(["Port"])
    near.append(["Quayle"])
    near["XFD1048576"].font = openpyxl.styles.Font(bold=True)  # a look without a value is no cell
    book.save(tmp_path / "b.xlsx")
    document, refused = read(tmp_path / "b.xlsx")
    assert paragraphs(document) == ["Near", "Port: Quayle"]  # type: ignore[arg-type]
    assert document.pages == (0, 0)  # type: ignore[union-attr]
    assert (refused.status, refused.reason, refused.member) == ("skipped", "too-large", "Far")  # type: ignore[union-attr]


def test_far_cells_are_seen_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2vsearch.ingest import extent

    rows: list[list[object]] = [[f"cell {row} {column}" for column in range(7)] for row in range(90)]
    book = openpyxl.load_workbook(workbook(tmp_path / "a.xlsx", {"A": rows, "B": [], "C": [["x"]]}))
    book["C"]["XFD9"].font = openpyxl.styles.Font(bold=True)
    book.save(tmp_path / "a.xlsx")
    for step in (1 << 22, 61, 1):
        monkeypatch.setattr(extent, "_STEP", step)
        with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
            assert extent.extents(archive, kind="workbook") == {"A": 630, "B": 0, "C": 1}


def test_a_member_longer_than_it_says_is_a_bomb(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"A": [["x"], ["Words " * 5000]]})
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("xl/worksheets/sheet1.xml")
    data = path.read_bytes()
    size = entry.file_size.to_bytes(4, "little")
    assert size in data
    path.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    assert reason(path) == "bomb"


def test_an_opendocument_workbook(tmp_path: Path) -> None:
    odfdo = pytest.importorskip("odfdo")
    document = odfdo.Document("spreadsheet")
    document.body.clear()
    document.meta.creator = "Ann"
    table = odfdo.Table("Fees")
    for row, values in enumerate((["Port", "Fee", "Since"], ["Quayle", 9, datetime.date(2024, 5, 1)])):
        table.set_row_values(row, values)
    document.body.append(table)
    document.save(str(tmp_path / "a.ods"))
    found = read_one(tmp_path / "a.ods")
    assert found.text == "Port: Quayle | Fee: 9 | Since: 2024-05-01"
    assert found.metadata["author"] == "Ann"


@pytest.mark.parametrize("cut", [0.2, 0.6, 0.95])
def test_broken_properties_cost_only_themselves(tmp_path: Path, cut: float) -> None:
    path = make("xlsx", tmp_path / "a.xlsx")
    with zipfile.ZipFile(path) as archive:
        said = archive.read("docProps/core.xml")
    broken = retyped(path, "b.xlsx", {said: said[: int(len(said) * cut)]}, member="docProps/core.xml")
    found = read_one(broken)
    assert (found.text, found.metadata) == ("x: Words", {})


def make(kind: str, path: Path) -> Path:
    if kind == "docx":
        document = docx.Document()
        document.add_paragraph("Words " * 50)
        document.save(str(path))
    elif kind == "pptx":
        deck = pptx.Presentation()
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Words"
        deck.save(str(path))
    else:
        workbook(path, {"A": [["x"], ["Words"]]})
    return path


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
def test_damaged_files_end_in_a_reason(tmp_path: Path, kind: str) -> None:
    data = make(kind, tmp_path / f"a.{kind}").read_bytes()
    chance = random.Random(kind)
    broken = tmp_path / f"b.{kind}"
    told = set()
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 5, 50])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        broken.write_bytes(damaged[: chance.choice([len(data), chance.randrange(1, len(data))])])
        try:
            read(broken)
        except UnreadableDocument as error:
            told.add(error.reason)
    assert told & {f"broken-{kind}", "broken-workbook"}


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "odt", "odp", "ods", "epub"])
def test_what_is_protected_or_no_such_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert reason(path) == "encrypted"
    path.write_bytes(b"no archive at all")
    assert reason(path) in {f"broken-{kind}", "broken-workbook"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert reason(path) in {f"broken-{kind}", "broken-workbook"}


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "odt", "epub"])
def test_bombs_are_refused_before_they_are_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(40_000_000))
    assert reason(path) == "bomb"


def test_entities_that_multiply_are_refused(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("HERE")
    document.save(str(tmp_path / "a.docx"))
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>'
    with zipfile.ZipFile(tmp_path / "a.docx") as old, zipfile.ZipFile(tmp_path / "b.docx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "word/document.xml":
                data = data.replace(b"<w:document", bomb.encode() + b"<w:document", 1).replace(b"HERE", b"&l11;")
            new.writestr(name, data)
    try:
        text = read_one(tmp_path / "b.docx").text
    except UnreadableDocument as error:
        text = error.reason
    assert "lol" * 1000 not in text


def test_a_broken_old_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert reason(path) == "broken-workbook"


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, module in (("xlsx", "python_calamine"), ("rtf", "striprtf.striprtf")):
        (tmp_path / f"a.{kind}").write_bytes(b"PK")
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(MissingDependency, match=r"pip install 'c2vsearch\[office\]'"):
            read(tmp_path / f"a.{kind}")


def odf(path: Path, body: str, *, meta: str = "") -> Path:
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table", "draw")
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "content.xml",
            f"<?xml version='1.0'?><office:document-content {names}><office:body>{body}</office:body></office:document-content>",
        )
        if meta:
            archive.writestr("meta.xml", f'<m xmlns:dc="http://purl.org/dc/elements/1.1/">{meta}</m>')
    return path


def test_an_opendocument_text(tmp_path: Path) -> None:
    body = """<office:text>
      <text:h text:outline-level="1">Ferries</text:h>
      <text:p>They leave<text:s text:c="2"/>at <text:span>nine</text:span>.<text:note><text:note-citation>1</text:note-citation>
        <text:note-body><text:p>Ten on Sundays.</text:p></text:note-body></text:note> Be there.</text:p>
      <text:list><text:list-item><text:p>a car</text:p><text:list><text:list-item><text:p>small</text:p></text:list-item>
      </text:list></text:list-item><text:list-item><text:p>a bicycle</text:p></text:list-item></text:list>
      <text:h text:outline-level="2">Fees</text:h>
      <table:table><table:table-row><table:table-cell><text:p>Port</text:p></table:table-cell><table:table-cell>
      <text:p>Fee</text:p></table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>Quayle</text:p>
      </table:table-cell><table:table-cell><text:p>9</text:p></table:table-cell></table:table-row></table:table>
    </office:text>"""
    meta = "<dc:creator>Ann</dc:creator><dc:title>Guide</dc:title><dc:date>2024-05-01T10:00:00</dc:date>"
    found = read_one(odf(tmp_path / "a.odt", body, meta=meta))
    assert paragraphs(found) == [
        "Ferries", "They leave  at nine. Be there.\n- a car\n  - small\n- a bicycle", "Fees", "Port | Fee\nQuayle | 9",
        "Ten on Sundays.",
    ]  # fmt: skip
    assert outline(found) == [(1, "Ferries"), (2, "Fees")]
    assert (found.title, found.metadata["author"]) == ("Guide", "Ann")
    assert found.metadata["modified"] == datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC)


def test_an_opendocument_made_by_another_library(tmp_path: Path) -> None:
    odfdo = pytest.importorskip("odfdo")
    document = odfdo.Document("text")
    document.body.clear()
    document.body.append(odfdo.Header(1, "Tides"))
    document.body.append(odfdo.Paragraph("Twice a day.\tThey rise."))
    document.save(str(tmp_path / "a.odt"))
    found = read_one(tmp_path / "a.odt")
    assert paragraphs(found) == ["Tides", "Twice a day.\tThey rise."]


def test_an_opendocument_presentation(tmp_path: Path) -> None:
    page = "<draw:page><draw:frame><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame></draw:page>"
    body = f"<office:presentation>{page.format('One')}<draw:page/>{page.format('Three')}</office:presentation>"
    found = read_one(odf(tmp_path / "a.odp", body))
    assert (found.text, found.pages) == ("One\n\nThree", (0, 5, 5))


def test_spans_in_spans_without_end(tmp_path: Path) -> None:
    deep = "<text:p>" + "<text:span>" * 3000 + "x" + "</text:span>" * 3000 + "</text:p>"
    assert reason(odf(tmp_path / "a.odt", deep)) == "broken-odt"


def test_rich_text(tmp_path: Path) -> None:
    source = (
        r"{\rtf1\ansi\ansicpg1252{\info{\title Guide}{\author Ann}{\keywords ferry, ice}}{\fonttbl{\f0 Arial;}}"
        r"\f0\fs24 Gr\'fc\'dfe an alle.\par They leave at \b nine\b0.\par\par \u8364? 9{\pict\pngblip "
        + "89504e47" * 2000
        + r"}\par}"
    )
    (tmp_path / "a.rtf").write_text(source, encoding="ascii")
    found = read_one(tmp_path / "a.rtf")
    assert paragraphs(found) == ["Grüße an alle.", "They leave at nine.", "€ 9"]
    assert (found.title, found.metadata) == ("Guide", {"author": "Ann", "tags": ("ferry", "ice")})
    (tmp_path / "b.rtf").write_text("plain text")
    assert reason(tmp_path / "b.rtf") == "broken-rtf"
    (tmp_path / "c.rtf").write_text("{" + r"\rtf1" + "{" * 5000)
    assert reason(tmp_path / "c.rtf") in {"no-text", "broken-rtf"}


def epub(path: Path, chapters: dict[str, str], *, contents: str = "", extra: dict[str, str] | None = None) -> Path:
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    nav = '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>' if contents else ""
    package = f"""<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
      <dc:title>The Tide</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bo</dc:creator><dc:language>en</dc:language>
      <dc:date>2024-05-01</dc:date></metadata><manifest>{items}{nav}</manifest><spine>{spine}</spine></package>"""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:x"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr("OEBPS/book.opf", package)
        if contents:
            archive.writestr("OEBPS/nav.xhtml", contents)
        for name, text in chapters.items():
            archive.writestr(f"OEBPS/{name}", text)
        for name, text in (extra or {}).items():
            archive.writestr(name, text)
    return path


def test_a_book(tmp_path: Path) -> None:
    contents = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol><li><a href="c%201.xhtml">One: Ebb</a></li>'
        '<li><a href="c2.xhtml#top">Two: Flow</a></li></ol></nav></body></html>'
    )
    chapters = {
        "c 1.xhtml": "<html><body><p>The sea goes.</p><h2>Far</h2><p>It is far.</p></body></html>",
        "c2.xhtml": "<html><body><h2>Two: Flow</h2><p>The sea comes.</p><h3>Near</h3></body></html>",
    }
    found = read_one(epub(tmp_path / "a.epub", chapters, contents=contents))
    assert paragraphs(found) == [
        "One: Ebb", "The sea goes.", "Far", "It is far.", "Two: Flow", "The sea comes.", "Near"
    ]  # fmt: skip
    assert outline(found) == [(1, "One: Ebb"), (2, "Far"), (1, "Two: Flow"), (2, "Near")]
    assert (found.title, found.metadata["author"], found.metadata["language"]) == ("The Tide", "Ann, Bo", "en")


def test_a_protected_book_and_hidden_fonts(tmp_path: Path) -> None:
    told = '<e><EncryptedData><EncryptionMethod Algorithm="{}"/></EncryptedData></e>'
    chapter = {"c.xhtml": "<p>Words.</p>"}
    path = tmp_path / "a.epub"
    epub(path, chapter, extra={"META-INF/encryption.xml": told.format("http://www.w3.org/2001/04/xmlenc#aes256-cbc")})
    assert reason(path) == "encrypted"
    epub(path, chapter, extra={"META-INF/encryption.xml": told.format("http://www.idpf.org/2008/embedding")})
    assert read_one(path).text == "Words."


def test_a_book_in_an_archive(tmp_path: Path) -> None:
    book = epub(tmp_path / "a.epub", {"c.xhtml": "<p>Words.</p>"}).read_bytes()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("shelf/a.epub", book)
    (tmp_path / "b.zip").write_bytes(data.getvalue())
    found = read_one(tmp_path / "b.zip")
    assert (found.member, found.kind, found.text) == ("shelf/a.epub", "epub", "Words.")


def test_a_level_that_is_no_number_costs_itself(tmp_path: Path) -> None:
    for level in ("1--- ", "", "9" * 5000):
        path = odf(tmp_path / "a.odt", f'<office:text><text:h text:outline-level="{level}">One</text:h></office:text>')
        assert read_one(path).text.strip() == "One"
