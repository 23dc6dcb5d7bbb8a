# Every target makes the virtual environment that it needs from nothing and is quick the second time.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test bench lint docs clean

demo: $(VENV)/.train
	$(BIN)/metricspace demo --out out

# Each core begins with a run of tests of its own, where what one compiles and builds serves the next.
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

bench: $(VENV)/.peers
	$(BIN)/python -m benchmarks

# make bench-distances, bench-vptree, ...: one of them
bench-%: $(VENV)/.peers
	$(BIN)/python -m benchmarks $*

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.train
	$(BIN)/python -m docs.tables

clean:
	rm -rf $(VENV) out

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch first and pinned: a range would fetch the build with several gigabytes of CUDA.
$(VENV)/.train: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) $$(grep '^torch==' constraints.txt)
	$(PIP) -e '.[train,bench]'
	touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) -e '.[dev]'
	touch $@

$(VENV)/.peers: $(VENV)/.train
	$(PIP) -e '.[peers]'
	touch $@
