# make demo    from a fresh clone: install, draw phantoms, train three small members, blend, report, submission
# make test    from a fresh clone: install, lint, types, layer contracts, all tests
# make clean   forget the environment, the demo data and its runs
#
# Without a GPU: make .venv yourself and install the CPU build of torch into it first (README, "Install").

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
DEMO := data/demo
MEMBERS := cnn2 cnn3 resnet18

.PHONY: demo test clean

demo: $(INSTALLED)
	$(BIN)/python -m ensemble.demo $(DEMO)
	$(BIN)/python -m ensemble.run $(MEMBERS:%=recipes/demo/%.yaml) --data $(DEMO)

test: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv $(DEMO) runs/demo build dist
