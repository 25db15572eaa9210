# `make run` and `make test` set everything up: git and Python 3.11+ with venv are enough.
PYTHON ?= python3
CORES ?= all
WORKERS ?= auto
VENV := .venv
JUDGES := .venv-judges
KWANT := .venv-kwant
DOCS := .venv-docs
export PYTHONNOUSERSITE := 1
# What all environments write beside the source, one of them at a time.
ALONE = $(PYTHON) -c 'import fcntl, subprocess, sys; lock = open("pyproject.toml"); fcntl.flock(lock, fcntl.LOCK_EX); sys.exit(subprocess.call(sys.argv[1:]))'

.PHONY: run smoke report archive test faults judges judges-environment kwant-environment bench docs site lock slurm-environment clean-environment

run: $(VENV)/ready
	$(VENV)/bin/snakemake --cores $(CORES)

smoke: $(VENV)/ready
	$(VENV)/bin/snakemake --cores $(CORES) --config tier=smoke

# Our page, and Snakemake's own report, whose pages need a folder when figures are many.
report: $(VENV)/ready
	$(VENV)/bin/snakemake --cores $(CORES) report
	$(VENV)/bin/snakemake report --report results/report/snakemake.zip

archive: $(VENV)/ready
	$(VENV)/bin/snakemake --cores $(CORES) archive

test: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .
	# Also where Python is told to write no bytecode: tests start hundreds of processes.
	$(VENV)/bin/python -m compileall -q src
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Half an hour; needs a C compiler. A row that is not made anew stays in the table.
faults: $(VENV)/ready
	OMP_NUM_THREADS=1 $(VENV)/bin/python tests/faults/matrix.py --page docs/faults.md --date "$$(date -u +%F)" --commit "$$(git rev-parse --short HEAD)"

judges: $(VENV)/ready $(JUDGES)/ready $(KWANT)/ready
	$(VENV)/bin/python -m pytest tests/judges

bench: $(VENV)/ready
	$(VENV)/bin/python benchmarks/run_all.py

docs: $(VENV)/ready
	$(VENV)/bin/python -c 'from nessflow.verbs.describe import data_dictionary; print(data_dictionary(), end="")' > docs/data-dictionary.md
	$(VENV)/bin/python benchmarks/run_all.py --mark

# The pages as a site: docs/_build/html/index.html. Needs no network once its environment is there. All
# pages are read and written anew: what a page warns of is not told twice, and each has the contents beside it.
site: $(DOCS)/ready
	$(DOCS)/bin/sphinx-build --fail-on-warning --keep-going --quiet --fresh-env --write-all --builder html docs docs/_build/html

$(VENV)/ready: envs/requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nessflow needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 run")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.lock
	$(ALONE) $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(VENV)/bin/python envs/compile_kernels.py
	touch $@

# Programs of others, in an environment of their own, that judge the data and the archive in tests.
judges-environment: $(JUDGES)/ready

$(JUDGES)/ready: envs/judges.lock
	$(PYTHON) -m venv $(JUDGES)
	$(JUDGES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/judges.lock
	touch $@

# Kwant and sisl beside nessflow and the oldest releases that it runs with, for the tests that compare
# with them: two minutes, a C compiler, and for Kwant's faster solver Debian's libmumps-seq-dev.
kwant-environment: $(KWANT)/ready

$(KWANT)/ready: envs/lowest.lock envs/kwant.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "the oldest releases are those of Python 3.11: make PYTHON=/path/to/python3.11 kwant-environment")'
	$(PYTHON) -m venv --clear $(KWANT)
	$(KWANT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/lowest.lock
	$(ALONE) $(KWANT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(KWANT)/bin/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r envs/kwant.lock --dest $(KWANT)/source
	$(KWANT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(KWANT)/source/tinyarray-*
	tar -xzf $(KWANT)/source/kwant-*.tar.gz -C $(KWANT)/source --strip-components 1
	cd $(KWANT)/source && CFLAGS=-O1 ../bin/python setup.py --quiet build_ext --cython bdist_wheel
	$(KWANT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(KWANT)/source/dist/kwant-*.whl
	rm -rf $(KWANT)/source
	touch $@

$(DOCS)/ready: envs/docs.lock
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/docs.lock
	$(ALONE) $(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# What `snakemake --profile profiles/slurm` needs besides.
slurm-environment: $(VENV)/ready envs/slurm.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/slurm.lock

# Needs uv; the results hold hashes and no address.
lock:
	for name in requirements judges; do uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade envs/$$name.in -o envs/$$name.lock || exit; done
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --constraint envs/requirements.lock envs/slurm.in -o envs/slurm.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --constraint envs/requirements.lock pyproject.toml envs/docs.in -o envs/docs.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --resolution lowest-direct pyproject.toml envs/lowest.in -o envs/lowest.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade --no-deps envs/kwant.in -o envs/kwant.lock

clean-environment:
	rm -rf $(VENV) $(JUDGES) $(KWANT) $(DOCS)
