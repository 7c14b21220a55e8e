# Needs make, git and Python 3.11 or newer with its venv module; all else comes into .venv with pip.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
bin := .venv/bin
RUNS ?= 3
# Tests wait more than they work, so that several at once cost two cores no more than one.
AT_ONCE ?= 5
pytest := $(bin)/pytest --numprocesses $(AT_ONCE) --dist worksteal
# The embedded half is in make test. There, whoever is free takes the next one, the long ones first.
on_lab := tests/openstack -k "not embedded"
in_turn := $(bin)/pytest --numprocesses $(AT_ONCE) --dist load --maxschedchunk 1

.PHONY: help demo test chaos test-clients test-openstack clients bench screenshots clean

help:
	@echo "make demo             open the console on the embedded cloud (ARGS='--servers 500' ...)"
	@echo "make test             style, types and tests"
	@echo "make chaos            kill consoles 300 times in the middle of operations, and judge the world (half an hour)"
	@echo "make test-openstack   the flow tests on a real OpenStack, brought up for it (KEEP=1: left up)"
	@echo "make test-clients     openstackclient, openstacksdk, libcloud and tempest on the embedded cloud"
	@echo "make bench            what it costs, beside its peers; writes the README's table (takes half an hour)"
	@echo "make screenshots      take the pictures for the README"
	@echo "make clean            remove what the others have made"

demo: .venv/.installed
	@$(bin)/novadeck demo $(ARGS)

test: .venv/.installed-test
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(pytest) $(ARGS)

chaos: .venv/.installed-test
	cd tests && ../$(bin)/python chaos.py --kills 300 $(ARGS)

test-openstack: .venv/.installed-test
	@KEEP='$(KEEP)' tests/openstack/run.sh sh -ec '$(in_turn) $(on_lab) -m "not alone" $(ARGS); $(bin)/pytest $(on_lab) -m alone'

test-clients: .venv/.installed-test .venv-clients/.installed
	$(bin)/pytest tests/clients $(ARGS)

clients: .venv-clients/.installed

bench: .venv/.installed-test .venv-clients/.installed
	$(bin)/python tests/bench/figures.py .bench begin
	$(bin)/python tests/bench/command.py 10000 $(RUNS) .bench
	$(bin)/python tests/bench/listing.py 10000 5 .bench
	$(bin)/python tests/bench/screen.py .bench $(RUNS)
	$(bin)/python tests/bench/clouds.py $(RUNS) .bench
	$(bin)/python tests/bench/ssh.py 500 $(RUNS) .bench
	$(bin)/python tests/bench/figures.py .bench

screenshots: .venv/.installed-test
	$(bin)/python screenshots/take.py

clean:
	rm -rf .venv .venv-clients .bench build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find console tests screenshots -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(bin)/python -m pip install --quiet --editable .
	@touch $@

.venv/.installed-test: pyproject.toml | .venv/bin/python
	$(bin)/python -m pip install --quiet --editable '.[test]'
	@touch $@ .venv/.installed

.venv-clients/.installed: tests/clients/requirements.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --requirement $<
	@touch $@
