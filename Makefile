# make run    a private server in this clone, for a first look; Ctrl-C stops it
# make test   set up, then everything that CI runs
# make soak   the long tests: kills, random workloads
# make check  lint, types, import contracts, unit and format tests: the quick part
# make deb    a Debian package, in build/deb
# make install [DESTDIR=] [PREFIX=/usr/local] [PYTHON=/usr/bin/python3]

PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libcyrus imap master sieve timsieved
JOBS ?= 2

.PHONY: all run test check soak lint types contracts reference install deb clean

all: $(VENV)/run

# Only what running needs.
$(VENV)/run: setup.cfg setup.py pyproject.toml conf/make_venv
	conf/make_venv $(PYTHON) $(VENV) .
	$(BIN)/python -m compileall -q libcyrus imap master sieve timsieved ptclient
	touch $@

# What the tests need besides.
$(VENV)/dev: $(VENV)/run
	conf/make_venv $(PYTHON) $(VENV) '.[dev]'
	touch $@

run: $(VENV)/run
	$(BIN)/python -m imap.admin.private_instance --directory .run

reference: $(VENV)/dev
	PYTHONPATH=cassandane-py $(BIN)/python -m cassandane.reference

lint: $(VENV)/dev
	$(BIN)/ruff check .

types: $(VENV)/dev
	$(BIN)/mypy $(PACKAGES) conf/manual.py cassandane-py/cassandane cassandane-py/conftest.py

contracts: $(VENV)/dev
	$(BIN)/lint-imports

check: lint types contracts
	$(BIN)/pytest -q -n $(JOBS) -m 'not long and not reference' cassandane-py/cunit cassandane-py/formats

test: lint types contracts reference
	$(BIN)/pytest -q -n $(JOBS) -m 'not long' cassandane-py

soak: reference
	$(BIN)/pytest -q -m long --hypothesis-profile soak cassandane-py

install: $(VENV)/run
	conf/install prefix '$(DESTDIR)' '$(PREFIX)' '$(PYTHON)'

deb: $(VENV)/run
	conf/deb build/deb

clean:
	rm -rf $(VENV) .reference build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
