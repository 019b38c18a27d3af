"""Routes: which alerts go to a sink. `severity >= "high" and (status == "live" or provider in
["auth0", "okta"])`

Promises: pure; a condition is checked whole when it is read, and names the place of what is wrong;
it cannot fail later. Grammar: comparisons (`==`, `!=`, `in`; `<`, `<=`, `>`, `>=` for severity and
confidence) joined by `and`, `or`, `not` and parentheses. Nothing else: no functions, no arithmetic,
no names but those of FIELDS.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias, get_args

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.formats.events import EVENT_KINDS
from jwtleak.types import CONFIDENCES, SEVERITIES, ChannelType, Status

Route: TypeAlias = Callable[[Alert], bool]

# A condition that people can read is shorter; the parser's recursion is bounded with it.
MAX_LENGTH = 2000

# Name -> (how to get it, the values that exist or None). The first of an ordered field is the
# worst.
FIELDS: dict[str, tuple[Callable[[Alert], Any], Collection[str] | None]] = {
    "severity": (lambda alert: alert.severity, SEVERITIES),
    "confidence": (lambda alert: alert.confidence, CONFIDENCES),
    "status": (lambda alert: alert.token.status, get_args(Status)),
    "channel": (lambda alert: alert.channel.type, get_args(ChannelType)),
    "event": (lambda alert: alert.event, EVENT_KINDS),
    "provider": (lambda alert: alert.token.provider, None),
}
_ORDERED: dict[str, Sequence[str]] = {"severity": SEVERITIES, "confidence": CONFIDENCES}
_ORDER: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: lambda a, b: a > b,  # ranks: the worst is 0
    ast.LtE: lambda a, b: a >= b,
    ast.Gt: lambda a, b: a < b,
    ast.GtE: lambda a, b: a <= b,
}


def everything(alert: Alert) -> bool:
    """The route of a sink without a condition."""
    return True


def parse(text: str) -> Route:
    """The route that `text` describes. Raises UsageError."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"when: longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            'when: is not a condition such as \'severity >= "high" and status == "live"\''
        ) from None
    return _route(tree.body)


def both(first: Route, second: Route) -> Route:
    """What both want."""
    return lambda alert: first(alert) and second(alert)


def _route(node: ast.expr) -> Route:
    if isinstance(node, ast.BoolOp):
        parts = [_route(one) for one in node.values]
        if isinstance(node.op, ast.And):
            return lambda alert: all(part(alert) for part in parts)
        return lambda alert: any(part(alert) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _route(node.operand)
        return lambda alert: not inner(alert)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.left, ast.Name):
        return _comparison(node.left.id, node.ops[0], node.comparators[0], node.col_offset + 1)
    raise _wrong(node, 'expected a comparison such as severity >= "high"')


def _comparison(field: str, operator: ast.cmpop, right: ast.expr, column: int) -> Route:
    if field not in FIELDS:
        raise UsageError(
            f"when: column {column}: there is no field {field!r}: one of {', '.join(FIELDS)}"
        )
    get, known = FIELDS[field]
    if isinstance(operator, ast.In | ast.NotIn):
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise _wrong(right, f'after `in` stands a list, as in {field} in ["a", "b"]')
        values = frozenset(_value(one, field, known) for one in right.elts)
        if isinstance(operator, ast.In):
            return lambda alert: get(alert) in values
        return lambda alert: get(alert) not in values
    value = _value(right, field, known)
    if isinstance(operator, ast.Eq):
        return lambda alert: bool(get(alert) == value)
    if isinstance(operator, ast.NotEq):
        return lambda alert: bool(get(alert) != value)
    if type(operator) in _ORDER and field in _ORDERED:
        compare, ranks = (
            _ORDER[type(operator)],
            {name: rank for rank, name in enumerate(_ORDERED[field])},
        )
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
