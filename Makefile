# `make` prints what there is. Everything here is a thin line around tools/.

ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] < (3, 11))' \
	2>/dev/null && echo $$p && break; done)
endif
VENV ?= .venv
RUN = $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
WORKERS ?= 2
PYTEST = $(RUN) -m pytest -q -n $(WORKERS) --dist loadfile --nbval \
	-o 'nbsight_rerun=make nbval NOTEBOOK={path}'
CHOICE = $(or $(FRAMEWORK),$(FRAMEWORKS))
NOTEBOOKS = $(or $(NOTEBOOK),$(addprefix notebooks/,$(CHOICE)),notebooks)
QUICK = -m 'not slow' --ignore tests/browser --ignore tests/hub

# The kernels see the same surroundings whoever runs them: one thread each
# (two of them share the cores), and no settings of the user's own.
export OMP_NUM_THREADS ?= 1
export MPLCONFIGDIR = $(abspath $(VENV))/matplotlib
export JUPYTER_PREFER_ENV_PATH = 1
export LESSON_FRAMEWORKS = $(CHOICE)

# What the goals need besides JupyterLab and the frameworks.
EXTRAS = $(if $(filter-out help setup lab hub,$(MAKECMDGOALS)),test) \
	$(if $(filter book slides class test,$(MAKECMDGOALS)),book) \
	$(if $(filter hub,$(MAKECMDGOALS)),hub) $(if $(SLOW),browser hub)

.DEFAULT_GOAL := help
.PHONY: help setup lab test notebooks check nbval accept book slides class \
	hub lint clean

help: ## show this list
	@echo 'make lab     to work: sets up what is missing, then opens JupyterLab'
	@echo 'make test    to verify: sets up, then checks and re-executes it all'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
	@echo
	@echo 'FRAMEWORK=pytorch (or FRAMEWORKS="numpy pytorch") narrows what runs notebooks.'
	@echo 'What measures how good all this is: CONTRIBUTING.md.'

setup: ## make .venv and install what is pinned
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer (with its venv module)' \
	'was not found; if it is elsewhere: make PYTHON=/path/to/python'; exit 1; }
	@'$(PYTHON)' tools/setup_env.py --venv '$(VENV)' --frameworks '$(CHOICE)' \
	--extras '$(EXTRAS)' $(if $(NEWEST),--newest) \
	$(if $(findstring command,$(origin PYTHON)),--insist)

lab: setup ## open the lessons in JupyterLab (this machine only, with token)
	@-$(RUN) -m tools.author trust
	@$(RUN) -m jupyter lab --ServerApp.ip=127.0.0.1 \
	$(if $(filter 0,$(shell id -u)),--allow-root) notebooks/$(FRAMEWORK)

test: setup lint check ## lint, test, re-execute all (SLOW=1: pages, a class too)
	@$(PYTEST) $(if $(SLOW),tests/hub tests/browser,$(QUICK)) \
	tests nbsight/tests $(NOTEBOOKS)

notebooks: setup ## generate and execute the notebooks from notebooks/source
	@$(RUN) -m tools.author build --frameworks '$(CHOICE)' \
	--lesson '$(LESSON)' $(if $(FORCE),--force)

check: setup ## prove that the committed notebooks are what the sources give
	@$(RUN) -m tools.author check --frameworks '$(CHOICE)'

nbval: setup ## re-execute notebooks and compare (NOTEBOOK=path for just one)
	@$(PYTEST) $(NOTEBOOKS)

accept: setup ## show what NOTEBOOK=path gives now; store it if you agree
	@$(RUN) -m tools.author accept $(if $(YES),--yes) $(NOTEBOOK)

book: setup ## make the pages, in build/book: every framework in tabs
	@$(RUN) -m tools.book pages --site '$(SITE)' --repository '$(REPOSITORY)'

slides: setup ## make a deck of each lesson and framework, in build/slides
	@$(RUN) -m tools.book slides --frameworks '$(CHOICE)' --lesson '$(LESSON)'

class: setup ## make a kit for a class, in build/class: hand out, keep, show
	@$(RUN) -m tools.classroom kit --frameworks '$(CHOICE)' \
	--lesson '$(LESSON)' $(if $(FORCE),--force)

hub: setup ## a JupyterHub for a class: CLASS=names.txt TEACHER=name
	@$(RUN) -m tools.classroom hub --names '$(CLASS)' --teacher '$(TEACHER)' \
	--frameworks '$(CHOICE)' $(if $(LESSONS),--lessons '$(LESSONS)') \
	--port $(or $(PORT),8000)

lint: setup ## ruff and mypy, on code and on notebooks (FIX=1: put in order)
	@$(RUN) -m ruff check --quiet $(if $(FIX),--fix) .
	@$(RUN) -m ruff format --quiet $(if $(FIX),,--check) .
	@$(RUN) -m mypy --no-error-summary
	@cd nbsight && $(abspath $(RUN)) -m mypy --no-error-summary

clean: ## remove what was built, and the environment
	rm -rf '$(VENV)' build
	find . \( -name __pycache__ -o -name '.*_cache' \) -type d -prune \
	-exec rm -rf {} +
