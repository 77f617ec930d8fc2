"""Where documents are cut: between items, rows, groups of code and slides; what goes on knows what it belongs to."""

from __future__ import annotations

import pytest

from c2vsearch.chunking import chunk_document
from c2vsearch.chunking.blocks import Block, blocks
from c2vsearch.chunking.parts import parts
from c2vsearch.config import ChunkingConfig
from c2vsearch.ingest.readers.code import python_headings
from c2vsearch.records import Chunk, Document, Heading
from tests.chunking.texts import WORD, cut


def plain(text: str, **settings: int) -> list[Chunk]:
    """A text in chunks without context and overlap, unless it is said otherwise."""
    document = Document(id="d", source="a.txt", text=text, kind="text")
    config = ChunkingConfig(**{"max_tokens": 24, "overlap_tokens": 0, "context_tokens": 0, **settings})
    return chunk_document(document, tokenizer=WORD, config=config)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("One.\nTwo.\n\nThree.", ["prose", "prose"]),
        ("- a\n- b\n\n  more of b\n\n- c\n\nafter", ["list", "prose"]),
        ("They are:\n1. a\n2) b\nlazily on", ["list"]),
        ("In\n1984. was a year", ["prose"]),
        ("| a |\n|---|\n| 1 |\nafter", ["table", "prose"]),
        ("a | b\n1 | 2\n", ["table"]),
        ("a pipe | in a sentence.\nNo table.", ["prose"]),
        ("before\n```\n- a\n\n| b |\n```\nafter", ["prose", "code", "prose"]),
        ("```\n```py\nstill code\n```\n", ["code"]),
        ("~~~\nnever closed\n\n```\n", ["code"]),
        ("- a\n\n  ```\n  x\n\n  y\n  ```\n\n- b\n", ["list"]),
        ("+---+\n| a |\n+===+\n| 1 |\n+---+\n", ["table"]),
        ("mac\r\rlines\r", ["prose", "prose"]),
        ("  \n\n \t\n", []),
    ],
)
def test_blocks(text: str, shapes: list[str]) -> None:
    found = list(blocks(text, 0, len(text)))
    assert [block.shape for block in found] == shapes
    left = text
    for block in reversed(found):
        left = left[: block.start] + left[block.end :]
    assert not left.strip()


def told(text: str, block: Block) -> list[str]:
    return [text[part.start : part.end].strip() for part in parts(text, block)]


@pytest.mark.parametrize(
    ("shape", "text", "pieces"),
    [
        ("list", "All:\n- a\n  - b\n    c\n- d\n", ["All:", "- a\n  - b\n    c", "- d"]),
        ("list", "  - a\n  - b\n- c", ["- a", "- b", "- c"]),
        ("item", "- a\n  so\n  - b\n  - c\n", ["- a\n  so", "- b\n  - c"]),
        ("table", "| a |\n|---|\n\n| 1 |\n| 2 |\n", ["| a |\n|---|\n\n| 1 |", "| 2 |"]),
        ("table", "a | b\n1 | 2\n3 | 4", ["a | b\n1 | 2", "3 | 4"]),
        ("table", "+--+\n| a|\n+==+\n| 1|\n+--+\n| 2|\n+--+", ["+--+\n| a|\n+==+\n| 1|", "+--+\n| 2|", "+--+"]),
        ("prose", "One. Two!\nThree?", ["One.", "Two!", "Three?"]),
        ("prose", "[1] One. Two.\n2 two\n<3>\n4\n", ["[1] One. Two.", "2 two", "<3>", "4"]),
        ("sentence", "roses\nviolets\n", ["roses", "violets"]),
        ("code", "def a():\n    x\n\n    y\n\ndef b():\n    z\n", ["def a():\n    x\n\n    y", "def b():\n    z"]),
        ("code", "a = (\n  1,\n)\nb = 2\n", ["a = (\n  1,\n)", "b = 2"]),
        ("code", "def a(\n    x,\n):\n    y\n", ["def a(", "x,\n):\n    y"]),
        ("code", "class A:\n    x\n\n    y\n", ["class A:", "x\n\n    y"]),
    ],
)
def test_parts(shape: str, text: str, pieces: list[str]) -> None:
    assert told(text, Block(0, len(text), shape)) == pieces  # type: ignore[arg-type]


def test_a_long_list_is_cut_between_items_and_nested_lines_stay() -> None:
    items = [f"- item {n} of the long list\n  - nested in {n}, too\n" for n in range(8)]
    chunks = plain("The list:\n" + "".join(items))
    assert len(chunks) > 2
    for chunk in chunks:
        assert chunk.text.startswith(("The list:", "- item"))
        assert chunk.text.count("- item") == chunk.text.count("- nested")


def test_a_list_that_fits_is_whole() -> None:
    before = "Some words before the list are here, and some more of them, so that they fill it."
    chunks = plain(f"{before}\n\n- one two\n\n- three four\n- five\n")
    assert [chunk.text for chunk in chunks] == [before, "- one two\n\n- three four\n- five"]


@pytest.mark.parametrize("rule", ["|------|-----|\n", ""])
def test_a_cut_table_takes_its_header_along_in_the_context(rule: str) -> None:
    bar = "| " if rule else ""
    header = f"{bar}Port | Fee{bar and ' |'}"
    rows = [f"{bar}Harbour number {n} | {n * 7}{bar and ' |'}\n" for n in range(20)]
    text = f"# Fees\n\nWhat it costs.\n\n{header}\n{rule}{''.join(rows)}\nThat was all of it, in a sentence."
    document, chunks = cut(text, max_tokens=40, overlap_tokens=0, context_tokens=16)
    assert document.text == text
    inside = [chunk for chunk in chunks if chunk.text.startswith(f"{bar}Harbour")]
    assert len(inside) >= 3
    for chunk in inside:
        assert chunk.context == f"Title > Fees\n{header}"
        assert chunk.embedded_text.startswith(f"Title > Fees\n{header}\n{bar}Harbour")
        assert chunk.text.split("\n")[0].strip() in {row.strip() for row in rows}
    assert all(header not in chunk.context for chunk in chunks if chunk not in inside)
    assert sum(header in chunk.text for chunk in chunks) == 1


def test_a_header_gives_way_to_nothing_and_takes_half_the_context() -> None:
    header = " | ".join(f"column{n}" for n in range(30))
    text = header + "\n" + "\n".join(" | ".join(["1"] * 3) for _ in range(40))
    _, chunks = cut(text, max_tokens=64, overlap_tokens=0, context_tokens=20)
    assert len(chunks) > 3
    for chunk in chunks[1:]:
        assert chunk.context.startswith("Title\ncolumn0 | column1")
        assert len(WORD.token_spans(chunk.context)) <= 20


def test_code_is_cut_between_groups_and_later_pieces_say_the_function() -> None:
    body = "".join(f"    value_{n} = {n}\n    use(value_{n})\n\n" for n in range(12))
    text = f"import os\n\n\nclass Ferry:\n    def leave(self):\n{body.replace('    ', '        ')}"
    document = Document(id="d", source="a.py", text=text, kind="code", headings=tuple(python_headings(text)))
    config = ChunkingConfig(max_tokens=48, overlap_tokens=0, context_tokens=12)
    chunks = chunk_document(document, tokenizer=WORD, config=config)
    later = [chunk for chunk in chunks if "def leave" not in chunk.text and "value" in chunk.text]
    assert len(later) >= 2
    for chunk in later:
        assert chunk.context == "Ferry > Ferry.leave"
        assert chunk.text.startswith("value_")
        assert chunk.text.count(" = ") == chunk.text.count("use(")


def test_a_fence_that_does_not_fit_is_cut_between_lines() -> None:
    code = "```\n" + "".join(f"call_{n}(1, 2)\n" for n in range(20)) + "```"
    chunks = plain(code)
    assert len(chunks) > 3
    assert all(line in code.split("\n") for chunk in chunks for line in chunk.text.split("\n"))
    assert chunks[-1].text.endswith(")\n```")


SLIDE = "Ferries leave from the harbour in the morning. They come back in the evening when the tide is high. " * 4


def slides(*texts: str, kind: str = "pptx") -> list[Chunk]:
    starts, text = [], ""
    for slide in texts:
        starts.append(len(text))
        text += slide + "\n\n"
    headings = tuple(Heading(at, 1, slide.split("\n")[0]) for at, slide in zip(starts, texts, strict=True))
    document = Document(id="d", source="a", text=text, kind=kind, headings=headings[:1], pages=tuple(starts))
    return chunk_document(document, tokenizer=WORD, config=ChunkingConfig())


def test_a_chunk_stays_on_its_slide() -> None:
    texts = [f"Slide {n}\n\n{SLIDE}" for n in range(4)]
    chunks = slides(*texts)
    assert [chunk.text for chunk in chunks] == [text.strip() for text in texts]
    assert [chunk.page for chunk in chunks] == [1, 2, 3, 4]
    assert [chunk.heading_path for chunk in chunks] == [("Slide 0",), (), (), ()]


def test_tiny_slides_share_a_chunk_and_pages_of_paper_do() -> None:
    assert [chunk.text for chunk in slides("One", "Two", "Three")] == ["One\n\nTwo\n\nThree"]
    assert [chunk.page for chunk in slides("One", SLIDE)] == [1, 2]
    assert [chunk.page for chunk in slides("One words.", "Two words.", SLIDE, kind="pdf")] == [1]


def test_lines_of_a_log_are_not_cut() -> None:
    lines = [f"2024-01-{n:02d} 12:00 service number {n} failed. It is tried again" for n in range(1, 20)]
    chunks = plain("\n".join(lines), max_tokens=40)
    assert len(chunks) > 3
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == lines
