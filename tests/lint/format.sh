#!/usr/bin/env bash
# C files look as .clang-format says, all text files as .editorconfig says.
source "$(dirname "$0")/lib.sh"

command -v clang-format >/dev/null || exit 77
complain "clang-format -i FILE" < <(
	sources '*.c' '*.h' | xargs -P "$(nproc)" -n 8 clang-format --dry-run -Werror 2>&1 |
		grep -E 'error:' || :)

complain "no spaces at the end of a line" < <(
	sources '*.c' '*.h' '*.sh' '*.py' 'meson.build' '*.md' | cat - <(ls lab bench/compare README.md 2>/dev/null) |
		xargs grep -nE '[[:space:]]+$' || :)

finish
