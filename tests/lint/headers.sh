#!/usr/bin/env bash
# Each header compiles alone, with gcc and with clang: it includes what it uses.
source "$(dirname "$0")/lib.sh"

flags=(-std=gnu11 -D_GNU_SOURCE -DVSW_VERSION='"lint"' -I. -Wall -Wextra -Werror
	-Wno-unused-parameter -Wno-missing-field-initializers -Wno-address-of-packed-member)
# DPDK's headers as system headers, as in the build; so are the other libraries'.
mapfile -t system < <(pkg-config --cflags libdpdk libbpf cmocka | tr ' ' '\n' |
	sed -n 's/^-I/-isystem/p;/^-m/p;/^-include$/p;/^rte_config.h$/p')

# Called by xargs. One compiler run per header; '-x c' would make #pragma once complain, hence the line of input.
# shellcheck disable=SC2317 # by way of xargs
check() {
	local compiler=$1 header=$2
	shift 2
	echo "#include \"$header\"" |
		"$compiler" "$@" -fsyntax-only -x c - 2>&1 | sed "s,^,$compiler $header: ,"
}
export -f check

complain "a header compiles alone" < <(
	for compiler in gcc clang; do
		command -v "$compiler" >/dev/null || continue
		sources '*.h' | xargs -P "$(nproc)" -I{} \
			bash -c 'check "$@"' _ "$compiler" {} "${flags[@]}" "${system[@]}"
	done)

complain "a header is protected by #pragma once" < <(
	sources '*.h' | xargs grep -L '^#pragma once' || :)

finish
