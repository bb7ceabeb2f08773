#!/bin/sh
# Writes a C file that holds the type data (section .BTF) of an object file as an array.
# Without an object file, or when it has no type data: an array of size 0.
# usage: btf_embed.sh OUTPUT.c [OBJCOPY OBJECT.o]
set -eu

out=$1
data=$(mktemp)
trap 'rm -f "$data"' EXIT

if [ $# -ge 3 ]; then
	"$2" -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$3" "$data"
fi
{
	echo '// Made by btf_embed.sh from types.c.'
	echo '#include "switch/btf_types.h"'
	echo '#include "switch/root_types.h"'
	echo 'unsigned char vsw_btf[]'
	echo '	__attribute__((section(VSW_BTF_SECTION), aligned(8), used)) = {'
	if [ -s "$data" ]; then
		od -An -v -tu1 "$data" | sed 's/[0-9][0-9]*/&,/g'
		echo '};'
		echo 'const size_t vsw_btf_size = sizeof(vsw_btf);'
	else
		echo '	0};'
		echo 'const size_t vsw_btf_size = 0;'
	fi
} >"$out"
