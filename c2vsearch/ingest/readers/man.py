"""Manual pages in roff: man(7) and mdoc(7) macros to text, sections as headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c2vsearch.errors import UnreadableDocument
from c2vsearch.ingest.parts import Parts
from c2vsearch.ingest.reader import Blob, Reading
from c2vsearch.ingest.readers.plain import read_plain
from c2vsearch.ingest.text import decode
from c2vsearch.records import Document, LineMark

_ROFF = re.compile(r"""^(?:\.\\"|'\\"|\.TH\s|\.Dd\s|\.Dt\s|\.SH\b|\.so\s)""", re.MULTILINE)
_NAMED = re.compile(r"\\\((..)|\\\[([\w-]{1,12})\]|\\\*\((..)|\\\*\[([\w-]{1,12})\]|\\\*(.)")
_COMMENT = re.compile(r"""\\".*""")
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|(\S+)')
_CHARACTERS = {
    "em": "—", "en": "–", "hy": "-", "bu": "•", "co": "©", "rg": "®", "tm": "™", "lq": "“", "rq": "”", "oq": "‘",
    "cq": "’", "aq": "'", "dq": '"', "ha": "^", "ti": "~", "rs": "\\", "mu": "×", "pl": "+", "mi": "−", "->": "→",
    "<-": "←", "ua": "↑", "da": "↓", "la": "⟨", "ra": "⟩", "de": "°", "sc": "§", "bv": "|", "or": "|", "ga": "`",
    "aa": "´", "lB": "[", "rB": "]", "lC": "{", "rC": "}", "S": "®", "Tm": "™", "Aq": "'", 'L"': "“", 'R"': "”",
}  # fmt: skip
_BREAKS = frozenset("PP P LP TP IP HP RS RE sp br Pp TQ Bl El Ss Sh SS SH nf fi EX EE SY YS".split())
_INLINE = frozenset("B I BI IB BR RB IR RI SM SB".split())
_SILENT = frozenset("TH Dd Dt Os de ds nr ft ad na hy nh ne ta ti in if ie el ig so UE ME UR MT PD DT AT UC".split())
# mdoc macros that only set a font, and those that put something around their words.
_WORDS = frozenset(
    "Nm Fl Ar Cm Pa Ev Li Sy Em Va Vt Fa Fn Ft Ic Dv Er An Xr Tn Nd Lk Mt In St Bx Nx Fx Ox Ux At No".split()
)
_AROUND = {"Op": "[{}]", "Oo": "[{}", "Oc": "]{}", "Qq": '"{}"', "Dq": "“{}”", "Sq": "‘{}’", "Pq": "({})", "Aq": "<{}>"}
_SECTION = re.compile(r"\.(?:man|mdoc|[1-9n][a-z]{0,6})$")


def is_man(name: str, head: str) -> bool:
    """Whether a file of this name that begins so is a manual page: ``.1`` is the suffix of many other things.

    >>> is_man("ls.1", '.TH LS 1'), is_man("backup.1", "some text")
    (True, False)
    """
    return bool(_SECTION.search(name)) and bool(_ROFF.search(head))


def read_man(blob: Blob, reading: Reading) -> Iterator[Document]:
    """A manual page; a file that only has the suffix of one is read as plain text.

    Raises:
        UnreadableDocument: "no-text", as of a page that only names another.
    """
    text = decode(blob.data)
    if not is_man(blob.name, text[:20_000]):
        yield from read_plain(blob, reading)
        return
    page = _Page()
    for number, line in enumerate(text.split("\n"), start=1):
        page.take(line.rstrip("\r"), number)
    page.end()
    if not page.parts.has_text:
        raise UnreadableDocument("no-text", "the page has no text of its own")
    yield page.parts.document(blob, kind="man", title=page.title)


class _Page:
    """Lines of roff as they come, filled into paragraphs."""

    def __init__(self) -> None:
        self.parts = Parts()
        self.title = ""
        self._name = ""
        self._filling = True
        self._lines: list[tuple[str, int]] = []  # of the paragraph that is being filled, and their numbers
        self._skipping = False  # the body of a macro that is being defined
        self._tagged = False  # the next line is the tag of a paragraph

    def take(self, line: str, number: int) -> None:
        if self._skipping:
            self._skipping = line.strip() != ".."
        elif line[:1] in (".", "'"):
            self._control(_COMMENT.sub("", line[1:]).strip(), number)
        elif line.strip():
            self._write(_plain(_COMMENT.sub("", line)), number)
        else:
            self.end()

    def end(self) -> None:
        """The paragraph is over."""
        marks, offset = [], 0
        for text, number in self._lines:
            marks.append(LineMark(offset, number))
            offset += len(text) + 1
        self.parts.add((" " if self._filling else "\n").join(text for text, _ in self._lines), marks=marks)
        self._lines = []

    def _write(self, text: str, number: int) -> None:
        if text.strip():
            tag = ":" if self._tagged else ""
            self._tagged = False
            self._lines.append(((" ".join(text.split()) if self._filling else text) + tag, number))

    def _control(self, request: str, number: int) -> None:
        macro, _, rest = request.partition(" ")
        words = [(quoted.replace('""', '"') if quoted else bare) for quoted, bare in _ARGUMENT.findall(rest)]
        if macro in ("TH", "Dt") and len(words) > 1:
            self.title = f"{_plain(words[0]).lower()}({_plain(words[1])})"
        elif macro in ("SH", "SS", "Sh", "Ss"):
            self.end()
            self.parts.add(_plain(" ".join(words)), level=1 if macro in ("SH", "Sh") else 2, line=number)
        elif macro in ("de", "ig", "am"):
            self._skipping = True
        elif macro in _BREAKS:
            self._break(macro, words, number)
        elif macro == "It":
            self.end()
            self._write(_mdoc(words, self._name) + ":" if words else "-", number)
        elif macro in _INLINE:
            glue = " " if len(macro) == 1 or macro in ("SM", "SB") else ""
            self._write(_plain(glue.join(words)), number)
        elif macro not in _SILENT and macro.isalnum():
            self._mdoc(macro, words, number)

    def _break(self, macro: str, words: list[str], number: int) -> None:
        self.end()
        self._tagged = macro in ("TP", "TQ")
        if macro in ("nf", "EX"):
            self._filling = False
        elif macro in ("fi", "EE"):
            self._filling = True
        elif macro == "IP" and words:
            self._write(_plain(words[0]), number)

    def _mdoc(self, macro: str, words: list[str], number: int) -> None:
        if macro == "Nm" and words and not self._name:
            self._name = words[0]
        if macro == "Nd":
            words = ["—", *words]
        if macro in _WORDS or macro in _AROUND:
            self._write(_mdoc([macro, *words], self._name), number)


def _mdoc(words: list[str], name: str) -> str:
    """A line of mdoc: macros may call each other along it."""
    told: list[str] = []
    pattern, since = "{}", 0
    dash = False
    for position, word in enumerate(words):
        if word in _AROUND:
            told[since:] = [pattern.format(" ".join(told[since:]))] if told[since:] else []
            pattern, since = _AROUND[word], len(told)
        elif word == "Fl":
            dash = True
        elif word == "Nm" and position == len(words) - 1:
            told.append(name)
        elif word not in _WORDS and word != "Ns":
            told.append(f"-{word}" if dash and word not in ("|", ",", ".") else word)
            dash = False
    told[since:] = [pattern.format(" ".join(told[since:]))] if told[since:] else []
    return re.sub(r" ([.,;:)\]]+)(?= |$)", r"\1", _plain(" ".join(told)))


def _plain(text: str) -> str:
    """Escapes to the characters they stand for."""
    text = _NAMED.sub(lambda match: _CHARACTERS.get(next(filter(None, match.groups()), ""), ""), text)
    text = text.replace("\\-", "-").replace("\\e", "\\\0").replace("\\~", " ").replace("\\ ", " ")
    text = re.sub(r"\\f(?:\[[^\]]{0,40}\]|\(..|.)|\\s[+-]?\d|\\[&|^/,%:!dut)]|\\[hvw]'[^']{0,40}'|\\c$|\\z", "", text)
    return text.replace("\\'", "´").replace("\\`", "`").replace("\\0", " ").replace("\\\0", "\\").replace("\\.", ".")
