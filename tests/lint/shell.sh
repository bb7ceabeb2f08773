#!/usr/bin/env bash
# All shell scripts are clean to shellcheck.
source "$(dirname "$0")/lib.sh"

command -v shellcheck >/dev/null || exit 77
mapfile -t scripts < <(sources '*.sh' | cat - <(ls lab bench/compare .ci/run 2>/dev/null))
# 2034: what a library sets for its users. 2119: functions with optional arguments. 2317:
# functions that are handed to another function.
shellcheck -x -P SCRIPTDIR -S warning -e SC2034,SC2119,SC2317 "${scripts[@]}"
[[ ! -e tests/vm/guest-init ]] || shellcheck -s dash tests/vm/guest-init
