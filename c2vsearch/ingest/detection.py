"""What a file is by its bytes, for where its name lies or says nothing. The answer is a suffix."""

from __future__ import annotations

import io
import re
import zipfile

ENCRYPTED = "encrypted"
# Old Office files: their names cover much else (pages, RTF, new Office files), so that only their bytes tell.
OLD_OFFICE = frozenset({".doc", ".xls", ".ppt"})
COMPRESSED = frozenset({".bz2", ".gz", ".xz", ".zst"})
# Types that begin with a mark of their own. A file with such a suffix and without the mark is something else.
MARKED = OLD_OFFICE | frozenset(
    """
    .arrow .bz2 .docm .docx .epub .feather .gz .odp .ods .odt .parquet .pdf .ppsx .pptm .pptx .rtf .tar .tgz .xlsb .xlsm
    .xlsx .xz
    .zip .zst
    """.split()
)
# Types that are text: a name that says text is believed before these are.
WRITTEN = frozenset({".html", ".mbox", ".ps", ".rtf"})

_MARKS = (
    (b"%PDF-", ".pdf"),
    (b"%!PS", ".ps"),
    (b"{\\rtf", ".rtf"),
    (b"PAR1", ".parquet"),
    (b"ARROW1\0\0", ".arrow"),
    (b"\x1f\x8b\x08", ".gz"),
    (b"\xfd7zXZ\0", ".xz"),
    (b"\x28\xb5\x2f\xfd", ".zst"),
)
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+(?:<!doctype\s+html\b|<html[\s>])", re.IGNORECASE | re.DOTALL
)
_MAILBOX = re.compile(rb"From \S{1,200} [^\r\n]{0,100}\d{4}[^\r\n]{0,100}\r?\n[A-Za-z][A-Za-z0-9-]{0,100}:[ \t]")
_HEAD_BYTES = 4096

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STREAMS = (
    ("EncryptedPackage", ENCRYPTED),
    ("WordDocument", ".doc"),
    ("PowerPoint Document", ".ppt"),
    ("Workbook", ".xls"),
    ("__properties_version1.0", ".msg"),
)
_OFFICE = (("word/", ".docx"), ("ppt/", ".pptx"), ("xl/", ".xlsx"))
_MIMETYPES = (
    (b"application/epub+zip", ".epub"),
    (b"application/vnd.oasis.opendocument.text", ".odt"),
    (b"application/vnd.oasis.opendocument.spreadsheet", ".ods"),
    (b"application/vnd.oasis.opendocument.presentation", ".odp"),
)


def detect(data: bytes) -> str:
    r"""The suffix of what the bytes are, "encrypted" for an Office file with a password, "" when they do not say.

    >>> detect(b"%PDF-1.7\n"), detect(b"<!DOCTYPE html><p>Sign in"), detect(b"# Notes"), detect(b"PK\x03\x04...")
    ('.pdf', '.html', '', '.zip')
    """
    head = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    for mark, suffix in _MARKS:
        if head.startswith(mark):
            return suffix
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data)
    if head.startswith(_OLE):
        return next((suffix for name, suffix in _STREAMS if name.encode("utf-16-le") in data), ".ole")
    if _BZIP2.match(head):
        return ".bz2"
    if head[257:262] == b"ustar" and b"\0" in head[:257]:
        return ".tar"
    return _written(head)


def _written(head: bytes) -> str:
    if head.lstrip()[:5] == b"%PDF-":
        return ".pdf"
    if _PAGE.match(head):
        return ".html"
    return ".mbox" if _MAILBOX.match(head) else ""


def _zipped(data: bytes) -> str:
    """A ZIP file by what it holds: most of Office are such."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names:
                return next((suffix for start, suffix in _OFFICE if any(n.startswith(start) for n in names)), ".zip")
            if "mimetype" in names:
                with archive.open("mimetype") as stream:
                    told = stream.read(100).strip().removesuffix(b"-template")
                return next((suffix for mimetype, suffix in _MIMETYPES if told == mimetype), ".zip")
    except Exception:  # damaged ones raise all kinds of errors; whoever reads it says what is wrong
        return ".zip"
    return ".zip"
