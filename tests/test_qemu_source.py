"""Actions cite functions that the table of QEMU's source has, and the table gives links that lead to them."""

import re
from functools import cache

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.history_in_qemu import BEFORE
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.qemu import QEMU
from postcopy.catalogue.qemu_7_2 import QEMU_7_2
from postcopy.catalogue.qemu_source import FUNCTIONS, VERSION, Function, function, link
from postcopy.errors import UsageError
from postcopy.language import Protocol
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy

EVERY: dict[str, type[Protocol]] = {
    "Postcopy": Postcopy,
    **FAULTS,
    **CHANGES,
    **PROTOCOLS,
    **QEMU,
    **{name: protocol for name, protocol in QEMU_7_2.items() if "without" not in name},
    **BEFORE,
    **OTHERS,
}


@cache
def cited() -> set[str]:
    """What the actions of all protocols cite."""
    return {
        a.info.qemu
        for protocol in EVERY.values()
        for a in Instance(protocol, protocol.group, 1, (), protocol.group).actions
    } - {""}


def test_every_function_that_an_action_cites_is_in_the_table() -> None:
    assert {function(citation).name for citation in cited()} <= set(FUNCTIONS)


def test_every_function_of_the_table_is_cited() -> None:
    assert set(FUNCTIONS) == {function(citation).name for citation in cited()}


@pytest.mark.parametrize("entry", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_a_function_is_found_by_what_qemu_may_say(entry: Function) -> None:
    for citation in (entry.name, entry.cited, f"{entry.cited} (resume)"):
        assert function(citation) is entry
    assert entry.file in entry.url
    assert entry.version in entry.url
    assert bool(entry.line) == (entry.project != "Linux")


@pytest.mark.parametrize(
    ("citation", "said"),
    [
        (
            "ram_save_hostpage",
            "ram_save_hostpage is not in the table of catalogue/qemu_source.py: add its file and line there",
        ),
        (
            "migration/savevm.c:ram_save_host_page",
            "ram_save_host_page is in migration/ram.c, not in migration/savevm.c",
        ),
        ("ram save", "'ram save' names no function: write file.c:function"),
    ],
)
def test_a_citation_that_leads_nowhere_is_refused(citation: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        function(citation)


def test_a_link_names_the_version_where_it_is_an_older_one() -> None:
    assert link("get_queued_page").endswith(f"/-/blob/{VERSION}/migration/ram.c#L1843)")
    assert link("postcopy_ram_listen_thread").endswith("/v10.1.0/migration/savevm.c#L2079) (QEMU v10.1.0)")
    assert link("handle_userfault (kernel)").endswith("/fs/userfaultfd.c?h=v6.12) (Linux v6.12)")
    assert link("qmp_migrate (resume)").endswith("#L2098) (resume)")
    assert link("uffd_io_complete").endswith("/criu/blob/2cf8f13ca/criu/uffd.c#L867) (CRIU 2cf8f13ca)")
    assert link("vmm/src/uffd.rs:resolve").endswith("vmm/src/uffd.rs#L364) (Cloud Hypervisor ae44c2971)")
    assert link("") == ""
