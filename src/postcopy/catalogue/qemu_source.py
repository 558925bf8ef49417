"""Where the functions that actions cite stand in the source of QEMU, Linux, Cloud Hypervisor and CRIU.

An action's ``qemu=`` names the function that it stands for. This table says in which file that function is, at which
line, and in which version this was looked up. A function that this version no longer has is listed with the last
release that has it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from postcopy.errors import UsageError

VERSION = "v11.1.0-rc2"
"""The tag of QEMU in which the lines below were looked up, unless an entry says otherwise."""

_QEMU = "https://gitlab.com/qemu-project/qemu/-/blob/{version}/{file}#L{line}"
_LINUX = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/{file}?h={version}"
_CLOUD_HYPERVISOR = "https://github.com/cloud-hypervisor/cloud-hypervisor/blob/{version}/{file}#L{line}"
_CRIU = "https://github.com/checkpoint-restore/criu/blob/{version}/{file}#L{line}"
_SOURCES = {"QEMU": _QEMU, "Linux": _LINUX, "Cloud Hypervisor": _CLOUD_HYPERVISOR, "CRIU": _CRIU}
_CITATION = re.compile(r"(?:(?P<file>[\w./-]+\.(?:c|h|rs)):)?(?P<function>\w+)(?: \(\w+\))?")
"""``function``, ``file.c:function``, and either with a remark such as ``(resume)`` behind it."""


class Function(NamedTuple):
    """A function in the source of one of the projects.

    Attributes:
        name: the function.
        file: its file, relative to the root of the source.
        line: the line of its definition; 0 where only the file was looked up.
        version: the tag, or the commit, that has it there.
        project: ``QEMU``, ``Linux``, ``Cloud Hypervisor`` or ``CRIU``.
    """

    name: str
    file: str
    line: int
    version: str = VERSION
    project: str = "QEMU"

    @property
    def cited(self) -> str:
        """How ``qemu=`` names it: ``migration/ram.c:get_queued_page``."""
        return f"{self.file}:{self.name}"

    @property
    def url(self) -> str:
        """A link to the definition, at the tag."""
        return _SOURCES[self.project].format(**self._asdict())


_LINES: dict[str, dict[str, int]] = {
    "block.c": {
        "bdrv_activate_all": 6932,
        "bdrv_inactivate_all": 7064,
    },
    "hw/virtio/virtio-balloon.c": {
        "virtio_balloon_handle_output": 402,
    },
    "migration/channel.c": {
        "migration_channel_identify": 142,
    },
    "migration/migration.c": {
        "migrate_handle_rp_resume_ack": 2279,
        "migrate_send_rp_pong": 932,
        "migrate_send_rp_recv_bitmap": 941,
        "migrate_send_rp_shut": 919,
        "migration_completion": 2910,
        "migration_connect_error_propagate": 1428,
        "migration_detect_error": 3149,
        "migration_iteration_finish": 3455,
        "migration_iteration_run": 3367,
        "migration_rate_limit": 3588,
        "migration_start_outgoing": 3927,
        "postcopy_pause": 3065,
        "postcopy_start": 2570,
        "postcopy_try_recover": 862,
        "process_incoming_migration_bh": 679,
        "process_incoming_migration_co": 734,
        "qmp_migrate": 2098,
        "qmp_migrate_cancel": 2158,
        "qmp_migrate_continue": 2174,
        "qmp_migrate_pause": 1895,
        "qmp_migrate_recover": 1867,
        "qmp_migrate_start_postcopy": 1287,
        "source_return_path_thread": 2338,
    },
    "migration/multifd-zero-page.c": {
        "multifd_recv_zero_page_process": 84,
    },
    "migration/multifd.c": {
        "multifd_recv_sync_main": 1174,
        "multifd_recv_thread": 1280,
        "multifd_send_sync_main": 611,
        "multifd_send_thread": 659,
    },
    "migration/postcopy-ram.c": {
        "postcopy_incoming_cleanup": 2223,
        "postcopy_listen_thread": 2107,
        "postcopy_pause_fault_thread": 1263,
        "postcopy_pause_ram_fast_load": 2020,
        "postcopy_place_page": 1648,
        "postcopy_preempt_establish_channel": 1989,
        "postcopy_preempt_new_channel": 1908,
        "postcopy_preempt_thread": 2034,
        "postcopy_ram_fault_thread": 1273,
        "postcopy_ram_incoming_setup": 1518,
        "postcopy_ram_prepare_discard": 893,
        "postcopy_ram_supported_by_host": 563,
        "postcopy_request_shared_page": 981,
        "qemu_ufd_copy_ioctl": 1585,
    },
    "migration/qemu-file.c": {
        "qemu_file_set_error": 225,
        "qemu_file_shutdown": 71,
    },
    "migration/ram.c": {
        "find_dirty_block": 1364,
        "get_queued_page": 1843,
        "load_xbzrle": 3480,
        "migration_bitmap_sync": 1134,
        "qemu_guest_free_page_hint": 2951,
        "ram_dirty_bitmap_reload": 4553,
        "ram_find_and_save_block": 2315,
        "ram_load_postcopy": 3809,
        "ram_load_precopy": 4305,
        "ram_mig_ram_block_resized": 4708,
        "ram_postcopy_send_discard_bitmap": 2683,
        "ram_save_host_page": 2216,
        "ram_save_host_page_urgent": 2151,
        "ram_save_iterate": 3255,
        "ram_save_postcopy_prepare": 4652,
        "ram_save_queue_pages": 1933,
        "ramblock_recv_bitmap_set_range": 281,
    },
    "migration/savevm.c": {
        "loadvm_handle_cmd_packaged": 2384,
        "loadvm_postcopy_handle_advise": 2003,
        "loadvm_postcopy_handle_listen": 2175,
        "loadvm_postcopy_handle_resume": 2315,
        "loadvm_postcopy_handle_run": 2246,
        "loadvm_postcopy_handle_run_bh": 2206,
        "loadvm_postcopy_ram_handle_discard": 2095,
        "loadvm_process_command": 2541,
        "migrate_send_rp_req_pages_pending": 2308,
        "postcopy_pause_incoming": 2936,
        "qemu_loadvm_approve_switchover": 3220,
        "qemu_loadvm_section_start_full": 2675,
        "qemu_loadvm_state_main": 3007,
        "qemu_savevm_query_pending": 1801,
        "qemu_savevm_query_pending_final": 1852,
        "qemu_savevm_send_open_return_path": 1148,
        "qemu_savevm_send_packaged": 1163,
        "qemu_savevm_send_ping": 1139,
        "qemu_savevm_send_postcopy_advise": 1190,
        "qemu_savevm_send_postcopy_resume": 1265,
        "qemu_savevm_send_recv_bitmap": 1271,
        "qemu_savevm_state_complete_postcopy": 1598,
        "qemu_savevm_state_complete_precopy": 1772,
    },
    "monitor/qmp-cmds.c": {
        "qmp_cont": 66,
    },
    "util/yank.c": {
        "qmp_yank": 153,
    },
}
"""The functions of `VERSION`: file, function, line."""

_OLDER = (
    Function("migration_incoming_process", "migration/migration.c", 948, "v10.2.0"),
    Function("migration_ioc_process_incoming", "migration/migration.c", 1012, "v10.2.0"),
    Function("postcopy_ram_listen_thread", "migration/savevm.c", 2079, "v10.1.0"),
)
"""Functions that were renamed or split since. They are now `migration_start_incoming` in migration/migration.c,
`migration_channel_process_incoming` in migration/channel.c and `postcopy_listen_thread` in migration/postcopy-ram.c."""

_KERNEL = (
    Function("handle_userfault", "fs/userfaultfd.c", 0, "v6.12", "Linux"),
    Function("khugepaged", "mm/khugepaged.c", 0, "v6.12", "Linux"),
)

_OTHERS: dict[tuple[str, str], dict[str, dict[str, int]]] = {
    ("Cloud Hypervisor", "ae44c2971"): {
        "vmm/src/lib.rs": {
            "send_migration": 1588,
            "serve_postcopy": 1832,
            "vm_receive_migration": 3154,
            "vm_receive_migration_step": 970,
            "vm_receive_state": 1291,
            "vm_receive_state_command": 1114,
            "vm_send_migration": 3263,
        },
        "vmm/src/memory_manager.rs": {
            "spawn_uffd_handler": 1086,
            "uffd_handler_loop": 1202,
        },
        "vmm/src/migration/transport.rs": {
            "send_request_expect_ok": 1153,
            "send_state": 1181,
        },
        "vmm/src/uffd.rs": {
            "resolve": 364,
        },
    },
    ("CRIU", "2cf8f13ca"): {
        "criu/cr-dump.c": {
            "cr_dump_finish": 2043,
            "cr_dump_tasks": 2136,
            "cr_lazy_mem_dump": 2019,
        },
        "criu/page-pipe.c": {
            "page_pipe_read": 384,
        },
        "criu/page-xfer.c": {
            "page_server_get_pages": 1138,
            "page_server_hangup_event": 1658,
            "page_server_serve": 1187,
            "request_remote_pages": 1678,
        },
        "criu/uffd.c": {
            "handle_fork": 1075,
            "handle_page_fault": 1152,
            "handle_remove": 1033,
            "handle_requests": 1244,
            "lazy_pages_finish_restore": 1290,
            "prepare_uffds": 1368,
            "setup_uffd": 299,
            "uffd_copy": 846,
            "uffd_io_complete": 867,
            "xfer_pages": 1002,
        },
    },
}
"""Functions of other projects: project and commit, file, function, line."""

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        *(Function(name, file, line) for file, lines in _LINES.items() for name, line in lines.items()),
        *_OLDER,
        *_KERNEL,
        *(
            Function(name, file, line, version, project)
            for (project, version), files in _OTHERS.items()
            for file, lines in files.items()
            for name, line in lines.items()
        ),
    )
}
"""By the name of the function."""


def function(citation: str) -> Function:
    """The function that an action's ``qemu=`` names.

    Args:
        citation: a function's name, with or without its file in front: ``migration/ram.c:get_queued_page``. A remark
            in parentheses may follow, as in ``qmp_migrate (resume)``.

    Raises:
        UsageError: the table has no such function, or has it in another file.
    """
    found = _CITATION.fullmatch(citation)
    if found is None:
        raise UsageError(f"{citation!r} names no function: write file.c:function")
    name, file = found["function"], found["file"]
    if name not in FUNCTIONS:
        raise UsageError(f"{name} is not in the table of catalogue/qemu_source.py: add its file and line there")
    if file is not None and file != FUNCTIONS[name].file:
        raise UsageError(f"{name} is in {FUNCTIONS[name].file}, not in {file}")
    return FUNCTIONS[name]


def link(citation: str) -> str:
    """A Markdown link to the function that an action's ``qemu=`` names; nothing where it names none.

    Raises:
        UsageError: as `function`.
    """
    if not citation:
        return ""
    found = function(citation)
    version = "" if found.version == VERSION else f" ({found.project} {found.version})"
    remark = citation.partition(" ")[2] if found.project == "QEMU" else ""
    return f"[`{found.cited}`]({found.url})" + (f" {remark}" if remark else "") + version
