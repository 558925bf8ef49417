#!/usr/bin/env python3
#
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Holds live migrations of this QEMU against a model of the protocol
#
# Two machines migrate with trace events switched on. Then postcopy reads both
# logs, and says whether what the two sides did is a behaviour of the model.

from pathlib import Path
from shutil import which
from subprocess import run

from migration import MigrationTest


class MigrationConforms(MigrationTest):

    timeout = 60

    CONFORMS, REFUTED, UNKNOWN = 0, 12, 75

    def setUp(self):
        super().setUp()
        if not which('postcopy'):
            self.skipTest('postcopy is not installed')
        self.set_machine('microvm')
        self.capabilities = []
        self.parameters = {}

    def configure_machine(self, vm):
        events = Path(__file__).with_name('migration-trace-events')
        side = 'destination' if '-incoming' in vm.args else 'source'
        vm.add_args('-nodefaults', '-m', '64', '-msg', 'timestamp=on',
                    '-trace', f'events={events}', '-D', self.trace_of(side))

    def trace_of(self, side):
        return self.log_file(f'{side}.trace')

    def set_up(self, vm):
        for name in self.capabilities:
            answer = vm.qmp('migrate-set-capabilities', capabilities=[
                {'capability': name, 'state': True}])
            if 'error' in answer:
                self.skipTest(f'{name}: {answer["error"]["desc"]}')
        if self.parameters:
            vm.cmd('migrate-set-parameters', **self.parameters)

    def migrate_vms(self, dst_uri, src_uri, dst_vm, src_vm):
        for vm in (src_vm, dst_vm):
            self.set_up(vm)
        dst_vm.cmd('migrate-incoming', uri=dst_uri)
        src_vm.cmd('migrate', uri=src_uri)
        if 'postcopy-ram' in self.capabilities:
            src_vm.cmd('migrate-start-postcopy')
        self.assert_migration(src_vm, dst_vm)
        for vm in (src_vm, dst_vm):
            vm.shutdown()  # so that the logs are whole
        self.assert_conforms()

    def assert_conforms(self):
        done = run(['postcopy', 'conform', '--trace', self.trace_of('source'),
                    self.trace_of('destination')],
                   capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        self.log.info(said)
        if done.returncode == self.UNKNOWN:
            self.skipTest(f'neither explained nor refuted: {said}')
        self.assertEqual(done.returncode, self.CONFORMS, said)

    def test_precopy(self):
        self.capabilities = ['return-path']
        self.migration_with_unix()

    def test_postcopy(self):
        self.capabilities = ['return-path', 'postcopy-ram']
        # as slow as QEMU allows, so that precopy does not end first
        self.parameters = {'max-bandwidth': 32 * 1024}
        self.migration_with_unix()

    def test_postcopy_preempt(self):
        self.capabilities = ['return-path', 'postcopy-ram', 'postcopy-preempt']
        self.parameters = {'max-bandwidth': 32 * 1024}
        self.migration_with_unix()


if __name__ == '__main__':
    MigrationTest.main()
