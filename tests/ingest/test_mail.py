"""Messages and mailboxes: text, headers and attachments, from messages written by the standard library."""

from __future__ import annotations

import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest import read_file
from c2vsearch.records import Document, FileReport, SourceFile


def read(place: Path, name: str, data: bytes) -> tuple[list[Document], list[FileReport]]:
    path = place / name
    path.write_bytes(data)
    items = list(read_file(SourceFile(name, str(path), 0, 0)))
    documents = [item for item in items if isinstance(item, Document)]
    return documents, [item for item in items if isinstance(item, FileReport)]


def message(subject: str = "Ferry times", text: str | None = "The ferry leaves at nine.\n\nAda\n") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "Ada Lovelace <ada@example.org>", "bo@example.org"
    mail["Date"] = "Wed, 01 May 2024 10:00:00 +0200"
    if text is not None:
        mail.set_content(text)
    return mail


def test_text_and_headers(tmp_path: Path) -> None:
    [document], refused = read(tmp_path, "a.eml", message("Grüße aus Bergen").as_bytes())
    assert (document.title, document.text, document.member) == (
        "Grüße aus Bergen",
        "The ferry leaves at nine.\n\nAda",
        "",
    )
    assert dict(document.metadata) == {
        "author": "Ada Lovelace <ada@example.org>", "to": "bo@example.org",
        "created": datetime.datetime(2024, 5, 1, 8, tzinfo=datetime.UTC),
    }  # fmt: skip
    assert refused == []


@pytest.mark.parametrize(
    ("charset", "encoding"), [("utf-8", "base64"), ("iso-8859-1", "quoted-printable"), ("utf-8", "8bit")]
)
def test_encodings(tmp_path: Path, charset: str, encoding: str) -> None:
    mail = message(text=None)
    mail.set_content("Die Fähre fährt.\n", charset=charset, cte=encoding)
    [document], _ = read(tmp_path, "a.eml", mail.as_bytes())
    assert document.text == "Die Fähre fährt."


def test_a_page_without_plain_text(tmp_path: Path) -> None:
    mail = message(text=None)
    mail.set_content("<html><body><nav>Menu</nav><h1>News</h1><p>It is blue.</p></body></html>", subtype="html")
    [document], _ = read(tmp_path, "a.eml", mail.as_bytes())
    assert document.text == "News\n\nIt is blue."


def test_attachments_by_their_own_readers(tmp_path: Path) -> None:
    mail = message()
    mail.add_attachment(b"# Plan\n\nGo.", maintype="application", subtype="octet-stream", filename="plan.md")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="x.png")
    mail.add_attachment(message("Inner", "Deep text.\n"))
    documents, refused = read(tmp_path, "a.eml", mail.as_bytes())
    assert [(d.member, d.kind, d.text) for d in documents] == [
        ("", "mail", "The ferry leaves at nine.\n\nAda"), ("plan.md", "markdown", "# Plan\n\nGo."),
        ("part 3.eml", "mail", "Deep text."),
    ]  # fmt: skip
    assert [(r.member, r.reason) for r in refused] == [("x.png", "unsupported")]


def test_a_mailbox_by_message(tmp_path: Path) -> None:
    texts = ["First.\n\n>From here it goes on.\n", "Second.\n", "Third, with From in it.\n"]
    data = b"".join(
        b"From ada Wed May  1\n" + message(f"S{n}", text).as_bytes() + b"\n" for n, text in enumerate(texts)
    )
    broken = b"From nobody Wed May  1\nno headers at all\n\n"
    documents, refused = read(tmp_path, "a.mbox", data + broken)
    assert [(d.member, d.title, d.text) for d in documents] == [
        ("1.eml", "S0", "First.\n\nFrom here it goes on."), ("2.eml", "S1", "Second."),
        ("3.eml", "S2", "Third, with From in it."),
    ]  # fmt: skip
    assert [(r.member, r.status, r.reason) for r in refused] == [("4.eml", "failed", "broken-mail")]


@pytest.mark.parametrize(("name", "reason"), [("a.eml", "broken-mail"), ("a.mbox", "broken-mbox")])
def test_what_is_no_mail(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path, name, b"just some words\n")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "date", ["Mon, 99999999999999999999 Jan 2024 10:00:00 +0100", "Fri, 31 Dec 9999 23:59:00 -2300", "soon", ""]
)
def test_a_date_that_is_none_costs_itself(tmp_path: Path, date: str) -> None:
    [document], refused = read(tmp_path, "a.eml", f"From: a@b.c\nSubject: Ferry\nDate: {date}\n\nText.\n".encode())
    assert (document.text, document.title, dict(document.metadata), refused) == (
        "Text.",
        "Ferry",
        {"author": "a@b.c"},
        [],
    )
