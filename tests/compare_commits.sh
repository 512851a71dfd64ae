#!/usr/bin/env bash
# tests/compare_commits.sh COMMIT DATA BIN [SWEEP ...]: the same sweeps with the code of COMMIT and
# with the code in this folder, then every difference between their figures. DATA holds the model
# stories260k and the data sets mq2008 and hh_rlhf; without names of sweeps, all four are run.
set -euo pipefail
commit=$(git rev-parse "$1")
data=$(realpath "$2")
bin=$(realpath "$3")
shift 3
here=$PWD
work=$here/build/compare
rm -rf "$work"
mkdir -p "$work"
pairs=$data/hh_rlhf

sweep() { # LIBRARY RESULTS NAME
	case $3 in
	bandit) set -- "$@" benchmark=bandit budget=smoke seed=0,1 ;;
	ranking) set -- "$@" benchmark=ranking benchmark.path="$data/mq2008" budget=smoke ;;
	preferences) set -- "$@" benchmark=preferences budget=smoke \
		benchmark.pairs.helpful="$pairs/helpful-base-test.jsonl.gz" \
		benchmark.pairs.harmless="$pairs/harmless-base-test.jsonl.gz" ;;
	stories) set -- "$@" model=hf model.path="$data/stories260k" ;;
	esac
	# From an empty folder, so that only LIBRARY is imported.
	(cd "$2" && PYTHONPATH=$1 PARETOSTEER_CACHE=$2/cache "$bin/python" -m paretosteer sweep \
		experiment=five_methods threads=1 sweep_dir="$3" "${@:4}" >"$3.log" 2>&1) || {
		tail -n 5 "$2/$3.log"
		exit 1
	}
}

git worktree add --quiet --detach "$work/checkout" "$commit"
trap 'git -C "$here" worktree remove --force "$work/checkout"' EXIT
"$bin/pip" install --quiet --no-deps --target "$work/before.lib" "$work/checkout"
"$bin/pip" install --quiet --no-deps --target "$work/after.lib" .
# Dependencies that only the older code has.
"$bin/pip" install --quiet --target "$work/before.lib" jsonschema
for side in before after; do
	mkdir "$work/$side"
	for name in "${@:-bandit ranking preferences stories}"; do
		for one in $name; do
			sweep "$work/$side.lib" "$work/$side" "$one"
		done
	done
done
"$bin/python" tests/compare_results.py "$work/before" "$work/after"
