# The tasks of a developer, each by its name: `make test`. They use the Python environment that is active, with
# `pip install -e '.[test]'` in it. `.ci/run` calls the same tasks.

.PHONY: help test test-slow test-long test-all lint types coverage coverage-gate docs site story-lengths counterexamples mutation benchmarks lowest ci

help: ## what there is to do
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/\1\t\2/p' Makefile | expand -t 17

test: ## the fast tests: a quarter of an hour on two cores where nothing is compiled yet
	pytest

test-slow: ## the tests that `make test` leaves out, but for the long ones
	pytest -m "slow and not long" --durations=40

test-long: ## before a release: what the slow tests ask of some parameters only, asked of the others
	pytest -m long

test-all: ## all tests
	pytest -m ""

lint: ## rules and format, by ruff
	ruff check .
	ruff format --check .

types: ## types, by mypy
	mypy

coverage: ## the lines and branches that the fast tests take, by room; fails where pyproject.toml asks for more
	coverage erase
	POSTCOPY_CACHE=$$(mktemp -d) coverage run -m pytest -m "not slow"  # an empty cache: what compiles is measured too
	$(MAKE) coverage-gate

coverage-gate: ## what the last measured tests say of coverage
	coverage combine -q
	PYTHONPATH=tools python -m coverage_gate

docs: ## the generated parts of docs/ (needs dot of Graphviz; takes minutes)
	PYTHONPATH=tools python -m architecture.diagram
	PYTHONPATH=tools python -m documentation.tables
	PYTHONPATH=tools python -m documentation.notebook
	PYTHONPATH=tools python -m documentation.proof_tables
	PYTHONPATH=tools python -m documentation.proof_beside_check
	PYTHONPATH=tools python -m documentation.qemu_defects
	PYTHONPATH=tools python -m documentation.verdict_suite

site: ## the site, from docs/ to build/site/index.html (needs the extra `docs`)
	python -m sphinx -q -W -n --keep-going -c docs . build/site

story-lengths: ## the pinned lengths of QEMU's stories, searched and written anew (takes an hour)
	PYTHONPATH=tools python -m documentation.story_lengths --write

counterexamples: ## the stored counterexamples, written anew
	postcopy counterexamples counterexamples

mutation: ## mutants of the model and weakened properties that are not judged yet, and docs/mutation.md (takes hours)
	PYTHONPATH=tools python -m mutation model tools/mutation/model.jsonl
	PYTHONPATH=tools python -m mutation wider tools/mutation/wider.jsonl
	PYTHONPATH=tools python -m mutation properties tools/mutation/properties.jsonl
	PYTHONPATH=tools python -m mutation.page

benchmarks: ## states per second, workers, growth (alone on the machine; others in benchmarks/ have their own options)
	python benchmarks/states_per_second.py --pages 4 --in-flight 2
	python benchmarks/workers.py
	python benchmarks/growth.py

lowest: ## the commands with the lowest versions of what they need, in an environment of their own
	python3 -m venv build/lowest
	build/lowest/bin/pip install -q $$(python3 tools/lowest_versions.py) && build/lowest/bin/pip install -q --no-deps -e .
	for command in --help "list faults" "schema check" "docs glossary" "check --pages 1 --in-flight 1" "simulate --walks 20" \
	    "check --pages 2 --in-flight 1 --engine compiled --no-liveness" "prove --pages 1 --property no-two-guests" \
	    "trace counterexamples/no-discards.itf.json" "graph build/lowest.svg --force" "run --size 256K --settle 0.1"; do \
	    POSTCOPY_CACHE=build/lowest/cache build/lowest/bin/postcopy $$command >/dev/null || exit 1; done

ci: ## everything that has to pass, in an environment of its own
	.ci/run
