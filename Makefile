# Everything this project does, in one word each.  `make help` lists the words.
PYTHON  ?= python3
PROFILE ?= quick
SEEDS   ?= 0
PORT    ?= 8000
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready

.PHONY: book test serve lint format assignments profile clean help install

book: $(READY)  ## execute the notebooks, check every claim, build the book (PROFILE=quick|paper SEEDS="0 1 2")
	@$(BIN)/edgedl book --profile "$(PROFILE)" --seeds "$(SEEDS)"

test: $(READY)  ## run the whole test suite
	@$(BIN)/python -m pytest --nbval-lax -n 2 --dist loadfile

serve: $(READY)  ## show the built book at http://127.0.0.1:$(PORT)/
	@$(BIN)/edgedl serve --profile "$(PROFILE)" --port $(PORT)

assignments: $(READY)  ## release the students' version of every chapter into build/assignments
	@$(BIN)/edgedl assignments

profile: $(READY)  ## measure this machine, so that notebooks accept device="host"
	@$(BIN)/edgedl profile

lint: $(READY)  ## check style, and that notebooks are committed without outputs
	@$(BIN)/ruff check . && $(BIN)/ruff format --check edgedl_lib tests && $(BIN)/edgedl tidy --check

format: $(READY)  ## put style right
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q edgedl_lib tests ; $(BIN)/edgedl tidy

clean:  ## remove everything that was built, but not the environment
	rm -rf build .snakemake .pytest_cache .ruff_cache .hypothesis

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(READY)  ## create the environment only

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned packages into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $@
