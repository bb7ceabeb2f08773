# shellcheck shell=bash
#
# For the lint tests: the project's files, and one way to complain. A test that prints nothing
# and ends with 0 has found nothing.

set -euo pipefail
# The tree to look at; another one only when the lint tests are tested themselves.
cd "${VSW_LINT_TREE:-$(dirname "${BASH_SOURCE[0]}")/../..}"

mapfile -t folders < <(ls -d ports qos vmq switch debugshell tests bench 2>/dev/null)
findings=0

# sources PATTERN...: the files of the project's folders whose names match.
sources() {
	local pattern names=()
	for pattern in "$@"; do
		names+=(-o -name "$pattern")
	done
	find "${folders[@]}" -type f \( "${names[@]:1}" \) | LC_ALL=C sort
}

# Reads findings, prints them after the rule that they break.
complain() {
	local line rule=$1
	while IFS= read -r line; do
		((findings++)) || printf 'Findings:\n'
		printf '%s\n    rule: %s\n' "$line" "$rule"
	done
}

finish() {
	((findings == 0)) || exit 1
	exit 0
}
