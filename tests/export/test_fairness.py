"""What exports say of strong fairness."""

from postcopy.export.promela import promela
from postcopy.export.tla import tla
from postcopy.language.instance import Instance
from postcopy.language.program import read
from tests.explorer.tiny_liveness import TakesTheFairLock, TakesTheLock
from tests.export.test_tla import errors


def test_tla_has_strong_fairness_of_the_step() -> None:
    fair, other = (tla(read(Instance(p, 1, 1)), "Lock", "Lock") for p in (TakesTheFairLock, TakesTheLock))
    assert "Spec == Init /\\ [][Next]_vars /\\ SF_known((lock_takes))\n" in fair
    assert "known == <<lock_free, lock_waits>>\n" in fair
    assert errors(fair) == []
    assert "Spec == Init /\\ [][Next]_vars\n" in other
    assert "known" not in other


def test_promela_says_that_it_leaves_it_out() -> None:
    fair, other = (promela(read(Instance(p, 1, 1)), "Lock") for p in (TakesTheFairLock, TakesTheLock))
    assert " * Strongly fair is lock.takes: that is left out, since nothing is asserted of whole runs.\n" in fair
    assert "fair" not in other
