"""The strict readers: they accept the examples and refuse mutations of them."""

from __future__ import annotations

import pytest
from grammars import RefusedError, cef, leef

CEF = "CEF:0|a|b\\|c|1|id\\\\|name|8|rt=1 cs1=a\\=b c\\\\d msg=two words"
LEEF = "LEEF:2.0|a|b|1|id|x09|cat=x\tsev=8\tiss=a=b|c"


def test_cef_is_read():
    """Escapes are undone, blanks stay in values."""
    assert cef(CEF) == (
        ["0", "a", "b|c", "1", "id\\", "name", "8"],
        {"rt": "1", "cs1": "a=b c\\d", "msg": "two words"},
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CEF:0", "CEF:1"),
        ("|8|", "|"),
        ("b\\|c", "b|c"),
        ("a\\=b", "a=b"),
        ("\\\\d", "\\d"),
        ("rt=1", "rt=1\n"),
        ("cs1", "rt"),
        ("rt=1 ", "rt=1"),
        ("msg=two words", "msg="),
        ("msg=", "m-g="),
        ("rt=", "rt"),
        ("id\\\\|", "id\\|"),
    ],
)
def test_cef_mutations_are_refused(old, new):
    """Each change that breaks the grammar or forges a field is refused, or changes what is read."""
    assert old in CEF
    try:
        read = cef(CEF.replace(old, new, 1))
    except RefusedError:
        read = None
    assert read != cef(CEF)


def test_forged_cef_is_refused():
    """An equals sign that is not escaped is a key of its own, or an error."""
    with pytest.raises(RefusedError):
        cef("CEF:0|a|b|1|i|n|8|rt=1 cs1=x rt=2")
    assert "forged" in cef("CEF:0|a|b|1|i|n|8|cs1=x forged=2")[1]


def test_leef_is_read():
    """The delimiter comes from the header; a value ends at it alone."""
    assert leef(LEEF)[1] == {"cat": "x", "sev": "8", "iss": "a=b|c"}
    assert leef("LEEF:2.0|a|b|1|id|^|cat=x^sev=8")[1] == {"cat": "x", "sev": "8"}
    assert leef(LEEF.replace("x09", "0x09"))[1] == leef(LEEF)[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LEEF:2.0", "LEEF:1.0"),
        ("x09", "tab"),
        ("|id|", "||"),
        ("sev=8", "sev"),
        ("sev", "cat"),
        ("cat=x", "cat=x\n"),
        ("sev", "s ev"),
    ],
)
def test_leef_mutations_are_refused(old, new):
    """Each change that breaks the grammar is refused."""
    with pytest.raises(RefusedError):
        leef(LEEF.replace(old, new, 1))
