#!/usr/bin/env bash
# A function has at most 80 lines, a file at most 800.
source "$(dirname "$0")/lib.sh"

# In this style the braces of a function, and of nothing else, stand alone in column 0.
complain "a function has at most 80 lines: split it by step" < <(
	# shellcheck disable=SC2016 # awk's variables
	sources '*.c' '*.h' | xargs awk '
		FNR == 1 { start = 0 }
		/^[A-Za-z_].*\(/ { name = $0 }
		/^\{/ { start = FNR; what = name }
		/^\}/ && start {
			if (FNR - start - 1 > 80)
				print FILENAME ":" start ": " FNR - start - 1 " lines: " what
			start = 0
		}')

complain "a file has at most 800 lines: split it by job" < <(
	sources '*.c' '*.h' '*.sh' '*.py' | cat - <(ls lab bench/compare 2>/dev/null) | xargs wc -l |
		awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }')

finish
