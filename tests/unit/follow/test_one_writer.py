"""Only one module writes a stream's state, and no module shows its queues."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import jwtleak.follow
from jwtleak.follow.stream import FollowedStream

MODULES = {
    path.name: ast.parse(path.read_text("utf-8"))
    for path in Path(jwtleak.follow.__path__[0]).glob("*.py")
}
FIELDS = set(FollowedStream.__struct_fields__)
# Counters of the same name, which are no stream's.
OTHERS = {("registry.py", "stats")}
# Values that are passed around, and no parts of the follower.
RECORDS = {"Directory", "FollowStats", "TailSettings"}


def targets(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that a statement assigns or deletes."""
    match node:
        case ast.Assign(targets=found) | ast.Delete(targets=found):
            yield from found
        case ast.AugAssign(target=found) | ast.AnnAssign(target=found) | ast.For(target=found):
            yield found


def written(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """The attributes that a module assigns, in tuples too: object, attribute, line."""
    for node in ast.walk(tree):
        for target in targets(node):
            for part in ast.walk(target):
                if isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load):
                    yield ast.unparse(part.value), part.attr, part.lineno


def is_container(value: ast.expr | None) -> bool:
    """Whether an expression makes something that its holder can change."""
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) in ("list", "set", "dict", "Counter", "OrderedDict")
    return isinstance(value, ast.List | ast.Set | ast.Dict | ast.ListComp | ast.DictComp)


def test_only_the_stream_assigns_its_fields() -> None:
    """Other modules decide, and call a transition; each assignment is in `stream.py`."""
    assert len(FIELDS) > 20
    strangers = [
        (name, line, f"{value}.{attribute}")
        for name, tree in MODULES.items()
        # A module that does not name the class has no stream to write to.
        if name != "stream.py" and "FollowedStream" in ast.unparse(tree)
        for value, attribute, line in written(tree)
        # Elsewhere `self` is an object of another class.
        if attribute in FIELDS and value != "self" and (name, value) not in OTHERS
    ]
    assert strangers == []


def test_every_field_is_assigned_by_a_transition() -> None:
    """In the class itself, by `self`; only the name is set once, when a stream is made."""
    (stream,) = (
        node
        for node in ast.walk(MODULES["stream.py"])
        if isinstance(node, ast.ClassDef) and node.name == "FollowedStream"
    )
    assert FIELDS - {attribute for value, attribute, _ in written(stream) if value == "self"} == {
        "name"
    }


def test_nobody_sets_attributes_by_name() -> None:
    """`setattr` would pass the tests above; the one there is counts in the statistics."""
    calls = [
        (name, ast.unparse(node.args[0]))
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "setattr" in ast.unparse(node.func)
    ]
    assert calls == [("registry.py", "stats")]


def test_queues_are_private() -> None:
    """No public attribute is a list, set or dictionary that another module could change."""
    shown = [
        (node.name, attribute.attr)
        for tree in MODULES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name not in RECORDS
        for statement in ast.walk(node)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and is_container(statement.value)
        for attribute in targets(statement)
        if isinstance(attribute, ast.Attribute) and not attribute.attr.startswith("_")
    ]
    assert shown == []
