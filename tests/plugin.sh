#!/usr/bin/env bash
# tests/plugin.sh FRESH BIN: the package of tests/plugin_package, installed beside paretosteer in the
# environment FRESH, run from an empty folder with the libraries of the one whose programs are in BIN.
set -euo pipefail
fresh=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
libraries=$("$2/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
cd "$empty"
export PYTHONPATH=$libraries PARETOSTEER_CACHE=$empty/cache
"$fresh/bin/paretosteer" sweep experiment=contrast budget=smoke launcher=joblib 2> told
"$fresh/bin/paretosteer" run method=start benchmark=stories 'benchmark.objectives=[calm,varied]' \
	budget=smoke sweep_dir=results/calm
"$fresh/bin/paretosteer" list experiments > experiments
! "$fresh/bin/paretosteer" run method=broken 2> refused
"$fresh/bin/paretosteer" doctor > doctor || true # it exits with 1 where it finds a fault
"$fresh/bin/python" "$here/check_plugin_package.py" .
