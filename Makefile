# Everything below sets up .venv first; that is quick when nothing changed.
PYTHON ?= python3
VENV := $(or $(RSUTILS_VENV),.venv)
RUN := $(VENV)/bin/python
LESSONS ?=
WORKERS ?= 2
PORT ?= 8000
ifneq ($(RSUTILS_DATA),)
override RSUTILS_DATA := $(abspath $(RSUTILS_DATA))
endif
export PROFILE DATASET SEED RSUTILS_DATA RSUTILS_CACHE

.DEFAULT_GOAL := help
.PHONY: help setup horovod course test lab serve bench lint notebooks readme site lock demo-world clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## make .venv: locked packages, rsutils, Horovod where it can be built
	@$(PYTHON) tools/setup_environment.py

horovod: setup  ## build Horovod again, where setup could not
	@$(RUN) -m pip install --no-deps --force-reinstall "$$($(RUN) tools/build_horovod.py --again)"

course: setup  ## run the lessons in order; DATASET=, PROFILE=, LESSONS="01 02" narrow or change it
	@$(RUN) -m rsutils course $(LESSONS)

test: setup  ## unit tests, every lesson by nbval and by papermill, ruff
	@$(RUN) -m ruff format --check --quiet . && $(RUN) -m ruff check --quiet .
	@$(RUN) -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=600 -q notebooks
	@$(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -q

lab: setup  ## open JupyterLab on the lessons
	@$(RUN) -m jupyterlab --notebook-dir=notebooks

serve: setup  ## train a recommender on the demo world and answer over HTTP; DATASET=, PORT=
	@$(RUN) -m rsutils build && exec $(RUN) -m rsutils serve build/models/$(or $(DATASET),demo) --port $(PORT)

bench: setup  ## the benchmarks, one JSON line a result (needs RSUTILS_DATA)
	@$(RUN) -m benchmarks

lint: setup  ## format and lint, notebooks too
	@$(RUN) -m ruff format . && $(RUN) -m ruff check --fix .

notebooks: setup  ## run the lessons and commit-ready outputs into notebooks/ itself
	@$(RUN) tools/refresh_notebooks.py $(LESSONS)

readme: setup  ## renew README's tables and, from build/ledger.jsonl, its picture
	@$(RUN) tools/refresh_readme.py --picture

site: setup  ## the course as web pages to read, in build/site
	@$(RUN) -m uv pip install --quiet --python $(RUN) --require-hashes -r requirements/site.txt
	@$(RUN) tools/build_site.py

lock: setup  ## resolve requirements/*.txt anew from pyproject.toml
	@$(RUN) tools/lock.py

demo-world: setup  ## generate data/demo anew
	@$(RUN) tools/make_demo_world.py

clean:  ## remove what the commands above made, but for the cache
	rm -rf build .venv
