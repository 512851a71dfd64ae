#!/usr/bin/env bash
# tests/wheel.sh FRESH BIN: the wheel in the environment FRESH, run from an empty folder with the
# libraries, but not the editable install, of the environment whose programs are in BIN.
set -euo pipefail
fresh=$(realpath "$1")
libraries=$("$2/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
cd "$empty"
export PYTHONPATH=$libraries PARETOSTEER_CACHE=$empty/cache
# A path in PYTHONPATH runs no .pth file, so the editable install stays out of reach.
"$fresh/bin/python" -c '
import paretosteer, sys
assert paretosteer.__file__.startswith(sys.prefix), paretosteer.__file__'
"$fresh/bin/python" -c '
from importlib.resources import files
for part in ("page/templates/page.html", "web/page.css", "web/main.js"):
    assert files("paretosteer.report").joinpath(part).is_file(), part'
"$fresh/bin/paretosteer" list methods
"$fresh/bin/paretosteer" list experiments
"$fresh/bin/paretosteer" list metrics
"$fresh/bin/paretosteer" sweep experiment=five_methods budget=smoke --dry-run
