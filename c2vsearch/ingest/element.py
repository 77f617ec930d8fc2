"""Elements of XML by their names alone: formats write the same words in a namespace of each of their editions."""

from __future__ import annotations

from functools import lru_cache
from xml.etree.ElementTree import Element


@lru_cache(maxsize=1024)  # a parser gives one string for a name, however often it comes
def local(tag: object) -> str:
    """The name of an element or attribute without its namespace; "" for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child(element: Element | None, *names: str) -> Element | None:
    """The first child of a name, its first child of the next name, and so on; None where there is none.

    >>> from xml.etree.ElementTree import fromstring
    >>> child(fromstring("<p xmlns='x:y'><a/><b><c at='1'/></b></p>"), "b", "c").get("at")
    '1'
    """
    for name in names:
        if element is None:
            return None
        element = next((inner for inner in element if local(inner.tag) == name), None)
    return element


def attribute(element: Element | None, name: str, otherwise: str = "") -> str:
    """The value of an attribute, whatever its namespace; ``otherwise`` where there is none, or no element.

    >>> from xml.etree.ElementTree import fromstring
    >>> attribute(fromstring("<p x:val='1' xmlns:x='x:y'/>"), "val"), attribute(None, "val")
    ('1', '')
    """
    if element is None:
        return otherwise
    return next((value for key, value in element.attrib.items() if local(key) == name), otherwise)
