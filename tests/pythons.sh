#!/usr/bin/env bash
# tests/pythons.sh VERSIONS PYTEST_ARGUMENTS: the tests under each Python that this machine has,
# on the path or of pyenv, in an environment of its own.
set -euo pipefail
for version in $1; do
	for python in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python none; do
		"$python" --version >/dev/null 2>&1 && break
	done
	if [ "$python" = none ]; then
		echo "python$version: not at hand, left out"
		continue
	fi
	"$python" -m venv "build/python$version"
	"build/python$version/bin/pip" install --quiet -c constraints.txt -e '.[dev,joblib]'
	"build/python$version/bin/pytest" "${@:2}"
done
