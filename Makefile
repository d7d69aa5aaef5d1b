# `make` prints what there is. Everything here is a thin line around tools/;
# FRAMEWORK=pytorch (or FRAMEWORKS="numpy pytorch") narrows any of it.

ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] < (3, 11))' \
	2>/dev/null && echo $$p && break; done)
endif
VENV ?= .venv
RUN = $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
PYTEST = $(RUN) -m pytest -n $(WORKERS) --dist loadfile \
	--nbval --ignore tests/browser --ignore tests/hub \
	-o 'nbsight_rerun=make nbval NOTEBOOK={path}'
CHOICE = $(or $(FRAMEWORK),$(FRAMEWORKS))
NOTEBOOK ?=
WORKERS ?= 2

# The kernels see the same surroundings whoever runs them: one thread each
# (two of them share the cores), and no settings of the user's own.
export OMP_NUM_THREADS ?= 1
export MPLCONFIGDIR = $(abspath $(VENV))/matplotlib
export JUPYTER_PREFER_ENV_PATH = 1
export LESSON_FRAMEWORKS = $(CHOICE)

# What the goals need besides JupyterLab and the frameworks.
EXTRAS = $(if $(filter-out help setup lab hub,$(MAKECMDGOALS)),test) \
	$(if $(filter book slides class test,$(MAKECMDGOALS)),book) \
	$(filter browser,$(MAKECMDGOALS)) \
	$(filter hub hubtest,$(MAKECMDGOALS))

.DEFAULT_GOAL := help
.PHONY: help setup lab test notebooks check nbval accept book slides class \
	browser hub hubtest agreement mutants answers surroundings scale bench \
	figure lint format pins clean

help: ## show this list
	@echo 'make lab     to work: sets up what is missing, then opens JupyterLab'
	@echo 'make test    to verify: sets up, then checks and re-executes it all'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
	@echo
	@echo 'FRAMEWORK=pytorch narrows any of them; FRAMEWORKS="numpy pytorch" too.'

setup: ## make .venv and install what is pinned
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer (with its venv module)' \
	'was not found; if it is elsewhere: make PYTHON=/path/to/python'; exit 1; }
	@'$(PYTHON)' tools/setup_env.py --venv '$(VENV)' --frameworks '$(CHOICE)' \
	--extras '$(EXTRAS)' $(if $(NEWEST),--newest) \
	$(if $(findstring command,$(origin PYTHON)),--insist)

lab: setup ## open the lessons in JupyterLab (this machine only, with token)
	@-$(RUN) -m tools.author.trust
	@$(RUN) -m jupyter lab --ServerApp.ip=127.0.0.1 \
	$(if $(filter 0,$(shell id -u)),--allow-root) notebooks/$(FRAMEWORK)

test: setup lint check ## lint, check, run the tests, re-execute all notebooks
	@$(PYTEST) tests \
	$(or $(addprefix notebooks/,$(CHOICE)),notebooks)

notebooks: setup ## generate and execute the notebooks from notebooks/source
	@$(RUN) -m tools.author.build --frameworks '$(CHOICE)' \
	--lesson '$(LESSON)' $(if $(FORCE),--force)

check: setup ## prove that the committed notebooks are what the sources give
	@$(RUN) -m tools.author.check --frameworks '$(CHOICE)'

nbval: setup ## re-execute notebooks and compare (NOTEBOOK=path for just one)
	@$(PYTEST) \
	$(or $(NOTEBOOK),$(addprefix notebooks/,$(CHOICE)),notebooks)

accept: setup ## show what NOTEBOOK=path gives now; store it if you agree
	@$(RUN) -m tools.author.accept $(if $(YES),--yes) $(NOTEBOOK)

book: setup ## make the pages, in build/book: every framework in tabs
	@$(RUN) -m tools.book --site '$(SITE)' --repository '$(REPOSITORY)'

slides: setup ## make a deck of each lesson and framework, in build/slides
	@$(RUN) -m tools.book.slides --frameworks '$(CHOICE)' --lesson '$(LESSON)'

class: setup ## make a kit for a class, in build/class: hand out, keep, show
	@$(RUN) -m tools.classroom.kit --frameworks '$(CHOICE)' \
	--lesson '$(LESSON)' $(if $(FORCE),--force)

browser: setup ## test pages, slides and JupyterLab in Chromium
	@$(RUN) -m pytest -n $(WORKERS) --dist loadfile tests/browser

hub: setup ## a JupyterHub for a class: CLASS=names.txt TEACHER=name
	@$(RUN) -m tools.classroom.hub --names '$(CLASS)' --teacher '$(TEACHER)' \
	--frameworks '$(CHOICE)' $(if $(LESSONS),--lessons '$(LESSONS)') \
	--port $(or $(PORT),8000)

hubtest: setup ## test it: three students, two days, and who sees what
	@$(RUN) -m pytest tests/hub

agreement: setup ## measure how far the frameworks' numbers lie apart
	@$(RUN) -m tools.quality agreement --frameworks '$(CHOICE)'

mutants: setup ## plant faults by rule and count which the check sees
	@$(RUN) -m tools.quality faults --frameworks '$(CHOICE)' \
	$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(FAMILIES),--families '$(FAMILIES)')

answers: setup ## give answers of all kinds to the self-checks: are they fair?
	@$(RUN) -m tools.quality answers --frameworks '$(CHOICE)'

surroundings: setup ## re-execute the notebooks in changed surroundings
	@$(RUN) -m tools.quality surroundings --frameworks '$(CHOICE)'

scale: setup ## measure time and memory of pooling anew, for lesson 05
	@$(RUN) -m tools.quality scale

bench: setup ## measure all of it beside its peers: docs/benchmarks.md
	@$(RUN) -m tools.quality benchmarks --parts '$(PARTS)' --rounds $(or $(ROUNDS),3)

figure: setup ## draw README's figure anew
	@$(RUN) -m tools.quality figure

lint: setup ## ruff, on code and on the generated notebooks
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --check .

format: setup ## let ruff put code in order
	@$(RUN) -m ruff check --quiet --fix . && $(RUN) -m ruff format --quiet .

pins: setup ## write down in tools/pins.txt what is installed now
	@mkdir -p build && (grep '^#' tools/pins.txt; \
	$(RUN) -m pip freeze --exclude-editable | sed 's/+.*//') > build/pins.txt
	@mv build/pins.txt tools/pins.txt

clean: ## remove what was built, and the environment
	rm -rf '$(VENV)' build .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
