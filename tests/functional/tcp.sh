#!/usr/bin/env bash
# 20 MB by TCP in each direction between all kinds of ports that have a kernel behind them. The
# frames have partial checksums and, where the kernel likes, 64 KB.
#
#   a (TAP, .1) ---.
#                   [ external s ]--- host: vsw-s (.10)
#   b (TAP, .2) ---'     |
#                        '----------- v0 === wire (.20)
source "$(dirname "$0")/lib.sh"

start
wire v0 10.1.0.20/24
ctl switch add s external nic v0 >/dev/null
machine a s 10.1.0.1/24
machine b s 10.1.0.2/24
host s 10.1.0.10/24

make_file "$T/www/file" 20
declare -A address=([a]=10.1.0.1 [b]=10.1.0.2 [host]=10.1.0.10 [wire]=10.1.0.20)
for to in "${!address[@]}"; do
	serve "$to" "$T/www"
done
for from in "${!address[@]}"; do
	for to in "${!address[@]}"; do
		[[ $from == "$to" ]] || fetch "$from" "http://${address[$to]}/file" "$T/www/file"
	done
done
finish
