"""Source code by syntax: every definition by its qualified name, where its comment begins, text verbatim."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from c2vsearch.records import Document
from tests.ingest.reading import outline, read_one

pytest.importorskip("tree_sitter")

CASES = {
    "a.js": (
        "// Grüße 🚢 before everything\n\n/** Adds. */\nexport function add(a, b) {\n  function inner() {}\n  return a;\n}\n"
        "export default class Port {\n  // a field\n  open = () => 1;\n  #size = 3;\n  /** Docks. */\n  async dock() {}\n"
        "  static make() {}\n}\nconst go = async () => 2, nine = 9;\nlet old = function () {};\n",
        [(1, "add"), (1, "Port"), (2, "Port.open"), (2, "Port.dock"), (2, "Port.make"), (1, "go"), (1, "old")],
        {"add": "/** Adds. */", "Port": "export default", "Port.dock": "  /** Docks. */", "go": "const go"},
    ),
    "a.ts": (
        "@Component({})\nexport abstract class A<T> {\n  abstract z(): void;\n  f(): void {}\n}\ninterface I { x: number }\n"
        "type K = string;\nexport enum E { X }\nnamespace N {\n  export function k() {}\n}\n",
        [(1, "A"), (2, "A.z"), (2, "A.f"), (1, "I"), (1, "K"), (1, "E"), (1, "N"), (2, "N.k")],
        {"A": "@Component", "N.k": "  export function"},
    ),
    "a.go": (
        "package a\n\n// S is äß.\ntype S struct{ a int }\n\n// M does.\nfunc (r *T[int]) M() {}\nfunc F() { x := func() {} }\n"
        "type (\n\tA int\n\tB string\n)\n",
        [(1, "S"), (1, "T.M"), (1, "F"), (1, "A"), (1, "B")],
        {"S": "// S is", "T.M": "// M does."},
    ),
    "a.rs": (
        "/// A port.\n#[derive(Debug)]\npub struct Port { n: u8 }\n\nimpl<T> Show for Port<T> {\n    /// Shows.\n    fn show(&self) {}\n}\n"
        "mod inner {\n    pub fn f() {}\n}\npub trait Show { fn show(&self); }\nenum E { A }\n",
        [(1, "Port"), (2, "Port.show"), (1, "inner"), (2, "inner.f"), (1, "Show"), (2, "Show.show"), (1, "E")],
        {"Port": "/// A port.", "Port.show": "    /// Shows."},
    ),
    "A.java": (
        "package a;\n\n/** A port. */\n@Deprecated\npublic class Port<T> {\n    int n;\n    public Port() {}\n\n    /** Docks. */\n"
        "    @Override\n    void dock() {}\n    interface In { void f(); }\n    enum E { X }\n    record R(int a) {}\n}\n",
        [(1, "Port"), (2, "Port.Port"), (2, "Port.dock"), (2, "Port.In"), (3, "Port.In.f"), (2, "Port.E"), (2, "Port.R")],
        {"Port": "/** A port. */", "Port.dock": "    /** Docks. */"},
    ),
    "a.c": (
        "/* A port. */\nstruct port { int n; };\nstruct port p;\n\n// Docks.\nstatic int *dock(struct port *p, int (*f)(int)) {\n"
        "    return 0;\n}\nenum e { X };\ntypedef struct named { int a; } named_t;\nint declared(void);\n",
        [(1, "port"), (1, "dock"), (1, "e"), (1, "named")],
        {"port": "/* A port. */", "dock": "// Docks."},
    ),
    "a.cpp": (
        "namespace a::b {\n// Generic.\ntemplate <class T>\nclass C : D {\n public:\n  C();\n  ~C() {}\n  int f() const { return 1; }\n};\n"
        "int C<int>::g(int x) { return x; }\nenum class E { X };\n}\n",
        [(1, "a::b"), (2, "a::b::C"), (3, "a::b::C::~C"), (3, "a::b::C::f"), (2, "a::b::C<int>::g"), (2, "a::b::E")],
        {"a::b::C": "// Generic."},
    ),
}  # fmt: skip


def code(tmp_path: Path, name: str, text: str) -> Document:
    (tmp_path / name).write_bytes(text.encode())
    found = read_one(tmp_path / name)
    starts = [heading.start for heading in found.headings]
    assert starts == sorted(starts)
    assert found.kind == "code"
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_definitions(tmp_path: Path, name: str, newline: str) -> None:
    text, expected, begins = CASES[name]
    text = text.replace("\n", newline)
    found = code(tmp_path, name, text)
    assert found.text == text
    assert outline(found) == expected
    starts = {heading.title: heading.start for heading in found.headings}
    for title, words in begins.items():
        assert found.text[starts[title] :].startswith(words), title


@pytest.mark.parametrize("name", CASES)
def test_broken_code_is_still_text(tmp_path: Path, name: str) -> None:
    text, expected, _ = CASES[name]
    for broken in (text[: len(text) // 2], text.replace("}", ""), "{" * 100_000, "(" * 50_000 + text, "/*" + text):
        assert code(tmp_path, name, broken).text == broken
    # What comes before the damage is known all the same.
    assert outline(code(tmp_path, name, text + "\n}}}} ((("))[:1] == expected[:1]


def test_without_the_grammar_it_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2vsearch.ingest.syntax import _parser

    _parser.cache_clear()
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    assert code(tmp_path, "a.js", "function f() {}\n").headings == ()
