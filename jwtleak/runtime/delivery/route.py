"""Routes: which alerts go to a sink. `severity >= "high" and (status == "live" or provider in
["auth0", "okta"])`

Promises: pure; a condition is checked completely when it is parsed, and an error names the column;
a parsed route cannot fail on an alert. Grammar: comparisons (`==`, `!=`, `in`; `<`, `<=`, `>`, `>=`
for severity and confidence) joined by `and`, `or`, `not` and parentheses. Refuses everything else:
functions, arithmetic, names that are not in FIELDS.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, TypeAlias, get_args

from jwtleak.errors import UsageError
from jwtleak.formats.events import EVENT_KINDS
from jwtleak.types import CONFIDENCES, SEVERITIES, ChannelType, Status

# Of an alert, or of an outbox entry where `Route.entry_is_enough`.
_Test: TypeAlias = Callable[[Any], bool]

# A condition that people can read is shorter. It also bounds the recursion of the parser.
MAX_LENGTH = 2000

# Name -> (getter, possible values or None). Ordered fields list the worst value first.
FIELDS: dict[str, tuple[Callable[[Any], Any], Collection[str] | None]] = {
    "severity": (lambda alert: alert.severity, SEVERITIES),
    "confidence": (lambda alert: alert.confidence, CONFIDENCES),
    "status": (lambda alert: alert.token.status, get_args(Status)),
    "channel": (lambda alert: alert.channel.type, get_args(ChannelType)),
    "event": (lambda alert: alert.event, EVENT_KINDS),
    "provider": (lambda alert: alert.token.provider, None),
}
# An outbox entry has these as attributes of its own, under the names that an alert has.
_OF_AN_ENTRY = frozenset({"severity", "event"})

_ORDERED: dict[str, Sequence[str]] = {"severity": SEVERITIES, "confidence": CONFIDENCES}
_ORDER: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: lambda a, b: a > b,  # ranks: the worst is rank 0, so the order is reversed
    ast.LtE: lambda a, b: a >= b,
    ast.Gt: lambda a, b: a < b,
    ast.GtE: lambda a, b: a <= b,
}


class Route(NamedTuple):
    """A parsed condition. `wants` tests an alert; where `entry_is_enough` it tests an outbox entry
    as well, whose JSON then need not be decoded.
    """

    wants: _Test
    entry_is_enough: bool


def parse(text: str) -> Route:
    """The route that `text` describes. Raises UsageError."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"when: longer than {MAX_LENGTH} characters")
    # Python's grammar is a superset of ours, and its parser reports columns. The tree is read and
    # never compiled: nothing in a configuration file can be executed.
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # ValueError for a NUL, RecursionError or MemoryError for what is nested too deep.
        raise UsageError(
            'when: is not a condition such as \'severity >= "high" and status == "live"\''
        ) from None
    wants = _test(tree.body)
    # After `_test` every name in the tree is one of FIELDS.
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return Route(wants, names <= _OF_AN_ENTRY)


def both(first: Route, second: Route | None) -> Route:
    """The alerts that both want. None wants every alert."""
    if second is None:
        return first
    left, right = first.wants, second.wants
    return Route(
        lambda alert: left(alert) and right(alert), first.entry_is_enough and second.entry_is_enough
    )


def _test(node: ast.expr) -> _Test:
    if isinstance(node, ast.BoolOp):
        parts = [_test(value) for value in node.values]
        if isinstance(node.op, ast.And):
            return lambda alert: all(part(alert) for part in parts)
        return lambda alert: any(part(alert) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _test(node.operand)
        return lambda alert: not inner(alert)
    # One operator only: a chain (`"low" < severity < "high"`) would read well and mean little.
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.left, ast.Name):
        return _comparison(node.left.id, node.ops[0], node.comparators[0], node.col_offset + 1)
    raise _wrong(node, 'expected a comparison such as severity >= "high"')


def _comparison(field: str, operator: ast.cmpop, right: ast.expr, column: int) -> _Test:
    if field not in FIELDS:
        raise UsageError(
            f"when: column {column}: there is no field {field!r}: one of {', '.join(FIELDS)}"
        )
    get, known = FIELDS[field]
    if isinstance(operator, ast.In | ast.NotIn):
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise _wrong(right, f'after `in` stands a list, as in {field} in ["a", "b"]')
        # Values are checked now: `severity in ["hihg"]` would never match, and nobody would notice.
        values = frozenset(_value(element, field, known) for element in right.elts)
        if isinstance(operator, ast.In):
            return lambda alert: get(alert) in values
        return lambda alert: get(alert) not in values
    value = _value(right, field, known)
    # An absent status or provider is UNSET, which equals no text and is in no list.
    if isinstance(operator, ast.Eq):
        return lambda alert: bool(get(alert) == value)
    if isinstance(operator, ast.NotEq):
        return lambda alert: bool(get(alert) != value)
    if type(operator) in _ORDER and field in _ORDERED:
        compare = _ORDER[type(operator)]
        ranks = {name: rank for rank, name in enumerate(_ORDERED[field])}
        limit = ranks[value]
        return lambda alert: compare(ranks[get(alert)], limit)
    raise UsageError(f"when: column {column}: {field} is compared with ==, != or in")


def _value(node: ast.expr, field: str, known: Collection[str] | None) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise _wrong(node, f'{field} is compared with a text in quotes, as in {field} == "..."')
    if known is not None and node.value not in known:
        raise _wrong(node, f"{field} is never {node.value!r}: one of {', '.join(known)}")
    return node.value


def _wrong(node: ast.expr, text: str) -> UsageError:
    return UsageError(f"when: column {node.col_offset + 1}: {text}")
