"""Which reader reads which files: by suffix, and by content where the suffix lies or is missing.

What holds data and media is named, so that it is neither opened nor taken for text.
"""

from __future__ import annotations

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.detection import COMPRESSED, ENCRYPTED, MARKED, OLD_OFFICE, WRITTEN, detect
from c2vsearch.ingest.reader import Blob, Reader
from c2vsearch.ingest.readers.archive import read_tar, read_zip
from c2vsearch.ingest.readers.asciidoc import read_asciidoc
from c2vsearch.ingest.readers.code import read_code, read_python
from c2vsearch.ingest.readers.compressed import read_compressed
from c2vsearch.ingest.readers.docx import read_docx
from c2vsearch.ingest.readers.epub import read_epub
from c2vsearch.ingest.readers.html import read_html
from c2vsearch.ingest.readers.json_records import read_json, read_jsonl
from c2vsearch.ingest.readers.latex import read_latex
from c2vsearch.ingest.readers.mail import read_mail, read_mailbox
from c2vsearch.ingest.readers.man import read_man
from c2vsearch.ingest.readers.markdown import read_markdown
from c2vsearch.ingest.readers.notebook import read_notebook
from c2vsearch.ingest.readers.opendocument import read_odp, read_odt
from c2vsearch.ingest.readers.org import read_org
from c2vsearch.ingest.readers.pdf import read_pdf
from c2vsearch.ingest.readers.plain import read_plain
from c2vsearch.ingest.readers.rst import read_rst
from c2vsearch.ingest.readers.rtf import read_rtf
from c2vsearch.ingest.readers.slides import read_slides
from c2vsearch.ingest.readers.spreadsheet import read_csv
from c2vsearch.ingest.readers.subtitles import read_subtitles
from c2vsearch.ingest.readers.table import read_arrow, read_parquet
from c2vsearch.ingest.readers.workbook import read_workbook

_CODE = """
    bash bat c cc cfg clj cmake conf cpp cs css cxx dart el erl ex exs f90 fish fs go gradle h hh hpp hs ini java jl
    js jsx kt kts lua m mjs ml nim pas pl pm proto ps1 r rb rs scala scss sh sql swift tf toml ts tsx v vb vue
    yaml yml zig zsh
"""
READERS: dict[str, Reader] = {
    **{f".{suffix}": read_code for suffix in _CODE.split()},
    **dict.fromkeys((".md", ".markdown", ".mdx"), read_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    **dict.fromkeys((".py", ".pyi"), read_python),
    **dict.fromkeys((".txt", ".text", ".log"), read_plain),
    **dict.fromkeys((".adoc", ".asciidoc"), read_asciidoc),
    **dict.fromkeys((".tex", ".ltx"), read_latex),
    **dict.fromkeys((".srt", ".vtt"), read_subtitles),
    **dict.fromkeys((".man", ".mdoc", *(f".{section}" for section in range(1, 10))), read_man),
    ".org": read_org,
    **dict.fromkeys((".jsonl", ".ndjson"), read_jsonl),
    **dict.fromkeys((".csv", ".tsv"), read_csv),
    **dict.fromkeys((".arrow", ".feather"), read_arrow),
    **dict.fromkeys((".tar", ".tgz"), read_tar),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst"), read_compressed),
    ".zip": read_zip,
    ".eml": read_mail,
    ".mbox": read_mailbox,
    ".ipynb": read_notebook,
    ".json": read_json,
    ".parquet": read_parquet,
    ".rst": read_rst,
    ".pdf": read_pdf,
    **dict.fromkeys((".docx", ".docm"), read_docx),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx"), read_slides),
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), read_workbook),
    ".odt": read_odt,
    ".odp": read_odp,
    ".epub": read_epub,
    ".rtf": read_rtf,
}

# Our own short Python: safe in the process that indexes. Whatever else there is or comes is read in one of its own,
# because libraries in C crash, and parsers of hostile files hang (`c2vsearch.ingest.workers`).
IN_PROCESS: frozenset[Reader] = frozenset({read_markdown, read_plain, read_rst, read_csv, read_json, read_jsonl})

# Data and media, not documents: reading them as text would bury the documents.
_DATA = """
    7z avi avif bin bmp class db dll dmg doc dylib eot exe faiss flac gif heic ico iso
    jar jpeg jpg lock map mkv mov mp3 mp4 npy npz o ogg onnx otf pickle pkl png ppt
    pyc rar safetensors so sqlite svg tif tiff ttf wav webm webp whl woff woff2 xml
"""
UNSUPPORTED = frozenset(f".{suffix}" for suffix in _DATA.split()) - OLD_OFFICE
_MINIFIED = (".min.js", ".min.css")


def reader_of(blob: Blob) -> Reader:
    """The reader of a file, by its name and by what its bytes say of that.

    One with a suffix nobody knows is read as plain text when its content is text.

    Raises:
        UnreadableDocument: "unsupported", or "encrypted".

    >>> reader_of(Blob("login.pdf", b"<!DOCTYPE html><p>Sign in.")).__name__
    'read_html'
    """
    if blob.suffix in UNSUPPORTED or blob.name.endswith(_MINIFIED):
        raise UnreadableDocument("unsupported", f"files of type {blob.suffix} are not read")
    found = detect(blob.data)
    suffix = _believed(blob.suffix, found)
    if suffix == ENCRYPTED:
        raise UnreadableDocument("encrypted", "a password is needed")
    if found and suffix == found and found not in READERS:
        raise UnreadableDocument("unsupported", f"it is a {found} file by its content, and those are not read")
    return READERS.get(suffix, read_plain)


def _believed(named: str, found: str) -> str:
    """The suffix to go by. Text that is named as text is not doubted, whatever it begins with."""
    if not found or (found in WRITTEN and named in READERS and named not in MARKED):
        return named
    if found in COMPRESSED and named in {".tar", ".tgz"}:
        return named  # its reader unpacks it
    if found == ".ole" and named in MARKED:
        return named  # damaged, perhaps, or encrypted: its reader says which
    if found == ".zip" and named:
        # Under a name that does not say so it is a container of some other kind, or a damaged one.
        return named if named in MARKED or named not in READERS else found
    return named if named in READERS and READERS[named] is READERS.get(found) else found


def refuse_by_name(name: str) -> None:
    """Refuse what no reader will take whatever is in it, before its bytes are read.

    Raises:
        UnreadableDocument: "unsupported".
    """
    reader_of(Blob(name, b""))
