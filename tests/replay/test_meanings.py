"""Each action of the models of QEMU and of the document has a meaning for a real QEMU, and there is no other row."""

from __future__ import annotations

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.qemu import QEMU
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.replay.follow import name_of_action
from postcopy.replay.meanings import MEANINGS


def actions(*protocols: type) -> set[str]:
    return {name_of_action(a.name) for cls in protocols for a in Instance(cls, 1, 1, (), 1).actions}


@pytest.mark.unmeasured
def test_the_table_has_the_actions_of_the_models_and_no_other() -> None:
    assert set(MEANINGS) == actions(*(resolve(name)[1] for name in QEMU))


def test_the_document_has_no_action_of_its_own() -> None:
    assert actions(Postcopy) <= set(MEANINGS)
