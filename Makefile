# Two commands matter: `make demo` and `make test`. Everything they need is installed into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BOTS   := .venv-bots
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint bench clean

demo: $(VENV)/.installed-demo  ## install, simulate the calibrated market, print its facts, write report.html
	$(BIN)/mycelial demo

test: $(VENV)/.installed-dev $(BOTS)/.built lint  ## install what tests need and run them
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev  ## measured speed, each figure as a ratio against a named peer
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: mycelial needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing mycelial into $(VENV) (once) ..."
	$(PIP) install -c constraints.txt -e '.[report,swarm]'
	@echo "compiling kernels for this processor (once, about a minute) ..."
	$(BIN)/mycelial demo --assets 2 --agents 20 --swarm-steps 2048 --out runs/warm-up >/dev/null 2>&1 && rm -rf runs/warm-up
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing mycelial and its test tools into $(VENV) (once) ..."
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

$(BOTS)/.built: tests/bots/constraints.txt tests/bots/build.py | $(VENV)/.installed-dev
	@echo "installing ccxt, python-kraken-sdk and freqtrade into $(BOTS), apart from mycelial (once) ..."
	@$(BIN)/python -m tests.bots.build $(BOTS)
	@touch $@

clean:
	rm -rf $(VENV) $(BOTS) .mypy_cache .ruff_cache .pytest_cache .hypothesis
