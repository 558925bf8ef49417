"""The names that the shell completes."""

from postcopy.cli.options import protocol_names


def test_each_protocol_is_completed_once() -> None:
    names = list(protocol_names())
    assert {"Postcopy", "no-discards", "recovery", "keeps-old-bitmap"} <= set(names)
    assert len(names) == len(set(names))
