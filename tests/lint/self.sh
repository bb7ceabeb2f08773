#!/usr/bin/env bash
# The lint tests find what they look for: each is given a small tree with one thing wrong.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

fresh() {
	rm -rf "${tree:?}"/*
	mkdir -p "$tree"/{ports,switch,debugshell,qos,tests}
	cp "$here/../../.clang-format" "$tree/"
	printf '#pragma once\n' >"$tree/ports/x.h"
	printf '#pragma once\n#include <stdint.h>\n' >"$tree/switch/y_types.h"
	printf '#include "ports/x.h"\n' >"$tree/switch/a.c"
	printf '#include "switch/y_types.h"\n' >"$tree/debugshell/a.c"
	printf '#!/bin/bash\ntrue\n' >"$tree/tests/a.sh"
}

# finds TEST FILE CONTENTS: TEST is content with the tree, but not once FILE is in it.
finds() {
	fresh
	if ! VSW_LINT_TREE=$tree "$here/$1.sh" >"$tree/out" 2>&1; then
		echo "$1.sh complains of a good tree:"
		cat "$tree/out"
		bad=1
	fi
	printf '%b' "$3" >"$tree/$2"
	if VSW_LINT_TREE=$tree "$here/$1.sh" >/dev/null 2>&1; then
		echo "$1.sh does not find what is wrong in $2: $3"
		bad=1
	fi
}

long=$(printf '\\n%.0s' $(seq 81))
finds layers ports/b.c '#include "switch/y_types.h"\n'
finds layers debugshell/b.c '#include "ports/x.h"\n'
finds layers switch/b.c '#include "y_types.h"\n'
finds headers ports/b.h '#pragma once\nuint8_t b(void);\n'
finds headers ports/b.h 'int b(void);\n'
finds budgets qos/b.c "int b(void)\n{\n$long}\n"
finds budgets qos/b.c "$(printf '\\n%.0s' $(seq 801))"
finds format qos/b.c 'int  b;\n'
finds words switch/fdb.c 'void b(void)\n{\n\tfree(0);\n}\n'
finds words switch/proc.c 'void b(void)\n{\n\tprintf("b");\n}\n'
finds words ports/vring.c 'int b(void)\n{\n\treturn rte_vhost_get_ifname(0);\n}\n'
finds words debugshell/cmd_b.c 'void b(void)\n{\n\tputchar(0);\n}\n'
finds words debugshell/cmd_b.c 'void b(void)\n{\n\tfputs("b", stdout);\n}\n'
finds words qos/b.c '// TO''DO\n'
finds words qos/b.c '// /wo''rk/b\n'
# shellcheck disable=SC2016 # meant as it stands
finds shell tests/b.sh '#!/bin/bash\nx=(1 2)\necho "$x"\n'
exit "$bad"
