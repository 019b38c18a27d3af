"""Marks of finished files."""

from __future__ import annotations

from stored import alert_id

from jwtleak.store import ScannedFile, Store

FILE = ScannedFile(2**64 - 1, 2**63 + 5, 100, 7, b"h" * 32, b'[{"kind":"corrupt"}]')


def test_a_mark_comes_back(directory):
    """A finished file is found by device and inode, after reopening too, with all that was
    marked.
    """
    with Store.open(directory) as store:
        scans = store.scans("key")
        assert scans.begin(resume=False) == 0
        scans.finish([FILE], 0, 1)
    with Store.open(directory) as store:
        scans = store.scans("key")
        assert scans.begin(resume=True) == 1
        assert scans.find(FILE.device, FILE.inode) == FILE
        assert scans.find(FILE.device, FILE.inode + 1) is None


def test_scans_know_nothing_of_each_other(store):
    """Another key has other marks."""
    one, other = store.scans("one"), store.scans("other")
    for scans in (one, other):
        scans.begin(resume=False)
    one.finish([FILE], 0, 1)
    one.mark_reported([alert_id("x")], 1, 1)
    assert (one.begin(resume=True), other.begin(resume=True)) == (1, 0)
    assert (one.was_reported(alert_id("x")), other.was_reported(alert_id("x"))) == (True, False)


def test_beginning_anew(store):
    """Without resuming, marks and reported alerts of this scan are gone."""
    scans = store.scans("one")
    scans.begin(resume=False)
    scans.finish([FILE], 0, 1)
    scans.mark_reported([alert_id("x")], 1, 1)
    assert scans.begin(resume=False) == 0
    assert scans.find(FILE.device, FILE.inode) is None
    assert scans.begin(resume=True) == 0
    assert not scans.was_reported(alert_id("x"))


def test_given_alerts_go_with_their_part(store):
    """When a part is finished its alerts need not be remembered; those of an earlier run stay until
    their own part is.
    """
    scans = store.scans("one")
    scans.begin(resume=False)
    scans.mark_reported([alert_id("x"), alert_id("y")], 0, 1)
    scans.begin(resume=True)
    scans.finish([FILE], 0, 2)
    assert scans.was_reported(alert_id("x"))
    scans.mark_reported([alert_id("x")], 5, 3)
    scans.finish([FILE], 5, 4)
    assert (scans.was_reported(alert_id("x")), scans.was_reported(alert_id("y"))) == (False, True)
