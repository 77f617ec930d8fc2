"""Mail: the text of a message under its subject, its headers as metadata, attachments by their own readers."""

from __future__ import annotations

import dataclasses
import datetime
import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.text import fit
from c2vsearch.records import Document, FileReport, Value

# A message of a mailbox begins with this at the start of a line, after an empty one or at the top.
_FROM = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]*\r?\n")


def read_mail(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A message (.eml): its text, then what is attached.

    Raises:
        UnreadableDocument: "broken-mail" when it has no headers.
    """
    message = email.message_from_bytes(blob.data, policy=email.policy.default)
    try:
        metadata, title = _metadata(message), _header(message, "Subject")
        body = _body(message, blob, reading)
        attachments = [
            (_name(part, number), _payload(part)) for number, part in enumerate(message.iter_attachments(), start=1)
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError) as error:
        raise UnreadableDocument("broken-mail", f"{type(error).__name__}: {error}") from error
    if not metadata and not title:
        raise UnreadableDocument("broken-mail", "it has no headers of a message")
    text = fit(body).strip() or title
    if text:
        yield Document(
            id="", source=blob.source, member=blob.member, text=text, kind="mail", title=title, metadata=metadata
        )
    for name, data in attachments:
        yield from reading.read(blob.inside(name.replace("/", "_"), data))


def read_mailbox(blob: Blob, reading: Reading) -> Iterator[Document | FileReport]:
    """A mailbox (.mbox): its messages by their number.

    Raises:
        UnreadableDocument: "broken-mbox" when no message begins in it.
    """
    starts = [match.span() for match in _FROM.finditer(blob.data)]
    if not starts:
        raise UnreadableDocument("broken-mbox", "no message begins in it; expected a line 'From ...'")
    ends = [start for start, _ in starts[1:]] + [len(blob.data)]
    for number, ((_, begin), end) in enumerate(zip(starts, ends, strict=True), start=1):
        message = re.sub(rb"(?m)^>(>*From )", rb"\1", blob.data[begin:end])
        yield from reading.read(blob.inside(f"{number}.eml", message))


def _metadata(message: EmailMessage) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, header in (("author", "From"), ("to", "To"), ("cc", "Cc")):
        if value := _header(message, header):
            found[name] = value
    try:
        date = parsedate_to_datetime(_raw(message, "Date"))
        found["created"] = date.replace(tzinfo=date.tzinfo or datetime.UTC).astimezone(datetime.UTC)
    except (ValueError, TypeError, ArithmeticError, LookupError):
        pass  # a date that is none says nothing
    return found


def _header(message: EmailMessage, name: str) -> str:
    """A header decoded, or as it stands where it is broken."""
    try:
        told = str(message[name] or "")
    except Exception:  # the parsers of headers raise all kinds of errors
        told = _raw(message, name)
    return fit(" ".join(told.split()))


def _raw(message: EmailMessage, name: str) -> str:
    return next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")


def _body(message: EmailMessage, blob: Blob, reading: Reading) -> str:
    """The plain text, or what the page says."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    payload = _payload(part)
    if part.get_content_subtype() != "html":
        charset = part.get_content_charset() or "utf-8"
        try:
            return payload.decode(charset, errors="replace")
        except LookupError:  # a charset nobody knows
            return payload.decode("utf-8", errors="replace")
    page = reading.read(dataclasses.replace(blob.inside("body.html", payload), depth=blob.depth))
    return "\n\n".join(item.text for item in page if isinstance(item, Document))


def _name(part: MIMEPart, number: int) -> str:
    suffix = ".eml" if part.get_content_type() == "message/rfc822" else ""
    return part.get_filename() or f"part {number}{suffix}"


def _payload(part: MIMEPart) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0)
        return inner.as_bytes() if isinstance(inner, EmailMessage) else b""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
