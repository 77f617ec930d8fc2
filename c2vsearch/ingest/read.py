"""One file to one document: bytes read without blocking, a reader chosen by suffix, identity added."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Callable

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.code import read_code, read_python
from c2vsearch.ingest.docx import read_docx
from c2vsearch.ingest.html import read_html
from c2vsearch.ingest.markdown import read_markdown
from c2vsearch.ingest.pdf import read_pdf
from c2vsearch.ingest.plain import read_plain
from c2vsearch.ingest.rst import read_rst
from c2vsearch.records import Document, SourceFile

Reader = Callable[[SourceFile, bytes], Document]

# Whoever changes what a reader gives for the same bytes changes this: every file is then read again.
READING = "1"

_CODE = """
    bash bat c cc cfg clj cmake conf cpp cs css cxx dart el erl ex exs f90 fish fs go gradle h hh hpp hs ini java jl
    js jsx kt kts lua m mjs ml nim pas pl pm proto ps1 r rb rs scala scss sh sql swift tex tf toml ts tsx v vb vue
    yaml yml zig zsh
"""
READERS: dict[str, Reader] = {
    **{f".{suffix}": read_code for suffix in _CODE.split()},
    **dict.fromkeys((".md", ".markdown", ".mdx"), read_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    **dict.fromkeys((".py", ".pyi"), read_python),
    **dict.fromkeys((".txt", ".text", ".log", ".adoc", ".org"), read_plain),
    ".rst": read_rst,
    ".pdf": read_pdf,
    ".docx": read_docx,
}

# Data and media, not documents: reading them as text would bury the documents.
_DATA = """
    7z arrow avi avif bin bmp bz2 class csv db dll dmg doc dylib eml epub eot exe faiss flac gif gz heic ico ipynb iso
    jar jpeg jpg json jsonl lock map mbox mkv mov mp3 mp4 npy npz o odp ods odt ogg onnx otf parquet pickle pkl png ppt
    pptx pyc rar rtf safetensors so sqlite svg tar tgz tif tiff tsv ttf wav webm webp whl woff woff2 xls xlsx xml xz
    zip zst
"""
UNSUPPORTED = frozenset(f".{suffix}" for suffix in _DATA.split())


def read_document(file: SourceFile) -> Document:
    """Read one file. A suffix nobody knows is read as plain text when the content is text.

    Raises:
        UnreadableDocument: With a short reason, such as "binary", "empty", "unsupported" or "vanished".
        MissingDependency: The reader needs an extra that is not installed.
    """
    suffix = os.path.splitext(file.source)[1].lower()
    if suffix in UNSUPPORTED or file.source.endswith((".min.js", ".min.css")):
        raise UnreadableDocument("unsupported", f"files of type {suffix} are not read")
    data = _read_bytes(file)
    if not data.strip():
        raise UnreadableDocument("empty", "the file is empty")
    document = READERS.get(suffix, read_plain)(file, data)
    return dataclasses.replace(
        document,
        id=hashlib.sha256(file.source.encode("utf-8", "surrogateescape")).hexdigest()[:16],
        content_hash=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        mtime_ns=file.mtime_ns,
    )


def content_hash(file: SourceFile) -> str:
    """The hash a document of this file would carry, without reading it as text."""
    return hashlib.sha256(_read_bytes(file)).hexdigest()


def _read_bytes(file: SourceFile) -> bytes:
    """The bytes of a regular file. A name that became a link or a pipe since the walk is not followed."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise UnreadableDocument("vanished", "the file was gone before it was read") from error
    except PermissionError as error:
        raise UnreadableDocument("permission", "no permission to read the file") from error
    except OSError as error:
        raise UnreadableDocument("unreadable", str(error.strerror)) from error
    try:
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnreadableDocument("not-regular", "the file became a pipe or a device")
            return stream.read()
    except OSError as error:
        raise UnreadableDocument("unreadable", str(error.strerror)) from error
