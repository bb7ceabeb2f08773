#!/bin/sh
# Makes a header from the given headers: it includes them, and TYPE_FIELDS(STRUCT, FIELD, FLEX)
# names every struct and every field in them, which type_test.c compares with the type data.
# It knows C as far as the project's format allows a header to be written.
# usage: type_fields.sh OUTPUT HEADER...
set -eu

out=$1
shift
exec >"$out"
for header; do
	echo "#include \"$(basename "$(dirname "$header")")/$(basename "$header")\""
done
echo '#define TYPE_FIELDS(STRUCT, FIELD, FLEX) \'
cat "$@" | sed -e 's://.*::' | awk '
	/^\/\*/ { comment = 1 }
	comment { if (/\*\//) comment = 0; next }
	/^struct [a-z0-9_]+ \{/ { name = $2; print "\tSTRUCT(" name ") \\"; text = ""; next }
	/^\}/ { name = "" }
	name == "" { next }
	{
		text = text " " $0
		if (text !~ /;[ \t]*$/)
			next
		line = text
		text = ""
		gsub(/alignas\([^)]*\)/, "", line)
		sub(/;[ \t]*$/, "", line)
		sub(/:[ \t0-9]*$/, "", line)
		n = split(line, parts, ",")
		for (i = 1; i <= n; i++) {
			field = parts[i]
			kind = field ~ /\[\]/ ? "FLEX" : "FIELD"
			gsub(/\[[^]]*\]/, "", field)
			sub(/[ \t]+$/, "", field)
			sub(/^.*[ \t*)]/, "", field)
			print "\t" kind "(" name ", " field ") \\"
		}
	}'
echo
