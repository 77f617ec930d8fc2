"""What is defined where in source code, by the grammars of tree-sitter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from c2vsearch.optional import require
from c2vsearch.records import Heading

LARGEST = 2_000_000  # bytes: what is larger was written by a program
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar's package and function, and the kinds of nodes that define something and what they stand in.

    ``defining`` nodes have a heading and may hold others; ``wrapping`` ones (an export, a template) only begin earlier.
    """

    module: str
    defining: frozenset[str]
    wrapping: frozenset[str] = frozenset()
    function: str = "language"


def _grammar(module: str, defining: str, wrapping: str = "", function: str = "language") -> Grammar:
    return Grammar(module, frozenset(defining.split()), frozenset(wrapping.split()), function)


_SCRIPT = "function_declaration generator_function_declaration class_declaration method_definition variable_declarator"
_TYPED = (
    f"{_SCRIPT} abstract_class_declaration interface_declaration type_alias_declaration enum_declaration "
    "internal_module module public_field_definition function_signature abstract_method_signature"
)
_SCRIPT_WRAPS = "export_statement lexical_declaration variable_declaration ambient_declaration expression_statement"
_JAVASCRIPT = _grammar("tree_sitter_javascript", f"{_SCRIPT} field_definition", _SCRIPT_WRAPS)
_TYPESCRIPT = _grammar("tree_sitter_typescript", _TYPED, _SCRIPT_WRAPS, "language_typescript")
_TSX = _grammar("tree_sitter_typescript", _TYPED, _SCRIPT_WRAPS, "language_tsx")
_C = _grammar(
    "tree_sitter_c", "function_definition struct_specifier union_specifier enum_specifier",
    "type_definition linkage_specification declaration",
)  # fmt: skip
_CPP = _grammar(
    "tree_sitter_cpp",
    "function_definition struct_specifier union_specifier enum_specifier class_specifier namespace_definition "
    "concept_definition alias_declaration",
    "template_declaration type_definition linkage_specification declaration",
)
GRAMMARS: dict[str, Grammar] = {
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), _JAVASCRIPT),
    **dict.fromkeys((".ts", ".mts", ".cts"), _TYPESCRIPT),
    ".tsx": _TSX,
    ".go": _grammar(
        "tree_sitter_go", "function_declaration method_declaration type_spec type_alias", "type_declaration"
    ),
    ".rs": _grammar(
        "tree_sitter_rust",
        "function_item function_signature_item struct_item enum_item union_item trait_item impl_item mod_item "
        "type_item macro_definition",
    ),
    ".java": _grammar(
        "tree_sitter_java",
        "class_declaration interface_declaration enum_declaration record_declaration annotation_type_declaration "
        "method_declaration constructor_declaration",
    ),
    **dict.fromkeys((".c", ".h"), _C),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"), _CPP),
}
# Definitions of values: of those only functions and classes are headings.
_VALUED = frozenset({"variable_declarator", "field_definition", "public_field_definition"})
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
# A mention of a type is not its definition.
_BODIED = frozenset({"struct_specifier", "union_specifier", "enum_specifier", "class_specifier"})
_ABOVE = frozenset({"comment", "line_comment", "block_comment", "attribute_item", "decorator", "inner_attribute_item"})


def definitions(text: str, grammar: Grammar) -> list[Heading]:
    """Headings by qualified name, each where its comment, decorators or modifiers begin.

    Raises:
        MissingDependency: tree-sitter or the grammar is not installed.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > LARGEST:
        return []
    tree = _parser(grammar).parse(data)
    found = sorted(set(_found(tree.root_node, grammar)))
    return list(_headings(found, data))


@cache
def _parser(grammar: Grammar) -> Any:
    tree_sitter = require("tree_sitter", extra="code", purpose="reading the structure of source code")
    module = require(grammar.module, extra="code", purpose="reading the structure of source code")
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, grammar.function)()))


def _found(root: Any, grammar: Grammar) -> Iterator[tuple[int, int, str]]:
    """Start in bytes, level and name of each definition. A stack: code nests as deep as a program writes it."""
    pending: list[tuple[Any, str, int, int | None]] = [(root, "", 1, None)]
    while pending:
        node, prefix, level, wrapped = pending.pop()
        start = None
        if node.type in grammar.wrapping:
            start = wrapped if wrapped is not None else _start(node)
        elif node.type in grammar.defining and (name := _name(node)):
            begin = wrapped if wrapped is not None else _start(node)
            separator = "::" if "::" in prefix or node.type == "namespace_definition" else "."
            qualified = f"{prefix}{name}"
            if not _is_nameless_holder(node):
                yield begin, level, qualified
            prefix, level = f"{qualified}{separator if grammar.module != 'tree_sitter_cpp' else '::'}", level + 1
            if node.type in _VALUED:
                continue
        elif _is_body_of_function(node):
            continue  # what is defined in a function is of no use outside
        if level <= _DEEPEST:
            pending += [(child, prefix, level, start) for child in reversed(node.named_children)]


def _is_nameless_holder(node: Any) -> bool:
    """An ``impl`` names a type that has its own heading; only what is in it counts."""
    return bool(node.type == "impl_item")


def _is_body_of_function(node: Any) -> bool:
    parent = node.parent
    return (
        parent is not None
        and node.type in ("block", "statement_block", "compound_statement", "constructor_body")
        and any(word in parent.type for word in ("function", "method", "constructor"))
    )


def _start(node: Any) -> int:
    """Where a definition begins with the comments, attributes and decorators right above it."""
    start = node
    while (above := start.prev_named_sibling) is not None and above.type in _ABOVE:
        if above.end_point[0] + 1 < start.start_point[0] or above.start_point[0] == start.start_point[0]:
            break
        before = above.prev_named_sibling
        if before is not None and before.type not in _ABOVE and before.end_point[0] == above.start_point[0]:
            break  # it stands behind something else, on that line
        start = above
    return int(start.start_byte)


def _name(node: Any) -> str:
    if node.type in _VALUED:
        value = node.child_by_field_name("value")
        if value is None or value.type not in _FUNCTIONS:
            return ""
    if node.type in _BODIED and node.child_by_field_name("body") is None:
        return ""
    if node.type == "impl_item":
        return _told(node.child_by_field_name("type")).partition("<")[0]
    named = node.child_by_field_name("name") or node.child_by_field_name("property") or _declared(node)
    name = _told(named)
    receiver = node.child_by_field_name("receiver")  # of a method in Go
    if receiver is not None and name:
        kind = _told(receiver).strip("()").split()[-1:] or [""]
        return f"{kind[0].lstrip('*').partition('[')[0]}.{name}"
    return name


def _declared(node: Any) -> Any:
    """The name in a declarator of C, within the pointers and parameters around it."""
    inner = node.child_by_field_name("declarator")
    while inner is not None:
        deeper = inner.child_by_field_name("declarator")
        if deeper is None and inner.type.endswith("_declarator"):
            deeper = next((child for child in inner.named_children if "declarator" in child.type), None)
        if deeper is None:
            return inner
        inner = deeper
    return None


def _told(node: Any) -> str:
    return "" if node is None or node.text is None else " ".join(node.text.decode("utf-8", "replace").split())[:200]


def _headings(found: list[tuple[int, int, str]], data: bytes) -> Iterator[Heading]:
    """Bytes to characters; a heading begins where its line does when only space is before it."""
    offset = counted = 0
    for start, level, name in found:
        line = data.rfind(b"\n", 0, start) + 1
        begin = line if not data[line:start].strip() else start
        if begin >= counted:
            offset += len(data[counted:begin].decode("utf-8", "replace"))
            counted = begin
        yield Heading(offset, level, name)
