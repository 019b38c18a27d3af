"""The kinds of event, and what each receiver calls them.

Promises: one row a kind, and every place that names kinds reads it here: the formats, the webhook,
OTLP, the routes. A new kind is a row here, its name in `alerts.alert.EventKind` (the JSON Schema),
and a migration: the store's `CHECK (event IN ...)` is SQL, which an installed state file holds.
"""

from __future__ import annotations

from typing import NamedTuple

from jwtleak.alerts.alert import EventKind


class EventNames(NamedTuple):
    """One kind of event in the terms of each receiver.

    `about_token`: False leaves out the fields of token, channel and place, which the alert must
    fill in for form's sake. `tagged`: ECS events carry the kind as a tag beside `jwtleak`.
    `rule_name`: the title of the rule for a kind that is no leak; None where the channel or the
    user's pattern names it.
    """

    ecs_kind: str
    ecs_action: str
    ocsf_activity: int  # activity_id: 1 Create, 2 Update, 99 Other
    ocsf_activity_name: str
    ocsf_is_alert: bool
    cef_action: str
    webhook_type: str
    otlp_name: str
    about_token: bool = True
    tagged: bool = False
    rule_name: str | None = None


EVENT_KINDS: dict[EventKind, EventNames] = {
    "leak": EventNames(
        ecs_kind="alert",
        ecs_action="jwt-leak-detected",
        ocsf_activity=1,
        ocsf_activity_name="Create",
        ocsf_is_alert=True,
        cef_action="detected",
        webhook_type="jwtleak.alert.created",
        otlp_name="jwtleak.alert",
    ),
    # A repeat says more of a finding that exists: an update, and no alert of its own in the SIEM.
    "repeat": EventNames(
        ecs_kind="event",
        ecs_action="jwt-leak-repeated",
        ocsf_activity=2,
        ocsf_activity_name="Update",
        ocsf_is_alert=False,
        cef_action="repeated",
        webhook_type="jwtleak.alert.repeated",
        otlp_name="jwtleak.alert",
    ),
    # OCSF's class has no activity for a heartbeat: 99 is Other, with a name of our own.
    "heartbeat": EventNames(
        ecs_kind="event",
        ecs_action="heartbeat",
        ocsf_activity=99,
        ocsf_activity_name="Heartbeat",
        ocsf_is_alert=False,
        cef_action="heartbeat",
        webhook_type="jwtleak.heartbeat",
        otlp_name="jwtleak.heartbeat",
        about_token=False,
        tagged=True,
        rule_name="jwtleak is alive",
    ),
    # A test is an alert for every rule: it shows whether the rules of the SIEM fire.
    "test": EventNames(
        ecs_kind="alert",
        ecs_action="test-alert",
        ocsf_activity=1,
        ocsf_activity_name="Create",
        ocsf_is_alert=True,
        cef_action="test",
        webhook_type="jwtleak.test",
        otlp_name="jwtleak.test",
        tagged=True,
        rule_name="Test of the way to here",
    ),
}

# A leak that the policy suppresses. It stays a `leak` in `event`; only its action differs, so that
# a rule that looks for alerts finds none.
SUPPRESSED = EVENT_KINDS["leak"]._replace(
    ecs_kind="event",
    ecs_action="jwt-leak-suppressed",
    ocsf_is_alert=False,
    cef_action="suppressed",
)


def names_of(action: str) -> EventNames:
    """The names for the fact `action`: a kind of event, or `suppressed`."""
    return SUPPRESSED if action == "suppressed" else EVENT_KINDS[action]  # type: ignore[index]
