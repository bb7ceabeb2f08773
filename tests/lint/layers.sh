#!/usr/bin/env bash
# Which folder may include which: arrows point from user to used, and there is no other.
source "$(dirname "$0")/lib.sh"

declare -A may=(
	[ports]="ports" [qos]="qos" [vmq]="vmq ports" [switch]="switch vmq qos ports"
	[debugshell]="debugshell" [tests]="tests switch vmq qos ports debugshell bench"
	[bench]="bench switch vmq qos ports tests debugshell")

# Prints FILE:LINE:PATH for each include in quotes.
includes() {
	sources '*.c' '*.h' | xargs grep -nHE '^[[:space:]]*#[[:space:]]*include "' |
		sed 's/^\([^:]*:[0-9]*\):[^"]*"\([^"]*\)".*/\1:\2/'
}

against_the_arrows() {
	local file number path
	includes | while IFS=: read -r file number path; do
		[[ " ${may[${file%%/*}]} " != *" ${path%%/*} "* ]] || continue
		# The debug shell reads the switch's structs and calls none of its functions.
		[[ $file != debugshell/* || ! $path =~ (_types|/drops)\.h$ ]] || continue
		echo "$file:$number: includes \"$path\""
	done
}

not_in_the_tree() {
	local file number path
	includes | while IFS=: read -r file number path; do
		[[ -e $path ]] || echo "$file:$number: includes \"$path\", which does not exist"
	done
}

complain "the arrows between the folders" < <(against_the_arrows)
complain "an include in quotes names its folder, from the top of the tree" < <(not_in_the_tree)
finish
