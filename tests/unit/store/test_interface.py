"""The values that pass in and out."""

from __future__ import annotations

import pytest
from stored import cursor, entry, sighting

from jwtleak.store import Commit


@pytest.mark.parametrize("value", [cursor(), sighting(), entry(), Commit(at_ms=1)])
def test_values_are_frozen(value):
    """What was handed over cannot change any more."""
    with pytest.raises(AttributeError):
        value.at_ms = 2


def test_a_commit_may_be_lazy(store):
    """Rows may come from generators: they are gone through once."""
    batch = Commit(
        cursors=(cursor(str(one)) for one in range(3)),
        forget=(name for name in ("x",)),
        sightings=(sighting(str(one)) for one in range(3)),
        alerts=(entry(one) for one in range(3)),
        at_ms=1,
    )
    store.commit(batch)
    assert (len(store.cursors()), len(store.sightings())) == (3, 3)
    with store.queue("a") as box:
        assert box.depth() == 3
