#!/bin/sh
#
# layers.t -- each layer includes only what it may, the pure layer calls nothing that touches the world, and README.md maps all of it.
# Reads sources and archives only; makes no Maildir, so it does without lib.sh.
set -u

export LC_ALL=C
build=${BUILD:-build}
src=merge-maildir
count=0 bad=0

# verdict SENTENCE FINDINGS: ok when there are none.
verdict() {
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		bad=$((bad + 1))
		echo "not ok $count - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

# includes LAYER ALLOWED: includes in quotes of another layer than ALLOWED (a regular expression; "" is the own directory).
includes() {
	grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$src/$1"/*.[ch] | grep -vE "\"($2)[a-z0-9_]+\\.h\""
}

verdict 'core includes only core' "$(includes core '')"
verdict 'disk includes only disk and core' "$(includes disk '|\.\./core/')"
verdict 'repo includes only repo and core' "$(includes repo '|\.\./core/')"
verdict 'cmd includes only what is in the source' "$(includes cmd '|\.\./(core|disk|repo)/')"

verdict 'watch includes only what is in the source, and nobody includes it' \
	"$(includes watch '|\.\./(cmd|core|disk|repo)/'; grep -n 'include.*"\.\./watch/' "$src"/*/*.[ch])"
verdict 'tools include only what is below cmd' "$(includes tools '|\.\./(core|disk|repo)/')"

pure='assert|ctype|errno|inttypes|limits|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|strings?'
verdict 'core includes no header that offers files, clocks, processes or git' \
	"$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' "$src"/core/*.[ch] | grep -vE "<($pure)\\.h>")"
verdict 'disk does not know git' "$(grep -nE 'include[[:space:]]*<git2|\bgit_[a-z]+[a-z_]*\(' "$src"/disk/*.[ch])"

for archive in core disk repo; do
	[ -f "$build/$archive.a" ] || { echo "Bail out! no '$build/$archive.a': run make first, or set BUILD"; exit 1; }
done
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# defines LAYER: what its archive offers. wants LAYER: what it takes from elsewhere.
defines() {
	nm --defined-only "$build/$1.a" | awk 'NF == 3 { print $3 }' | sort -u
}
wants() {
	defines "$1" >"$scratch/own"
	nm -u "$build/$1.a" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort -u | comm -23 - "$scratch/own" |
		grep -vE '^__(asan|ubsan|stack_chk|gcov|sanitizer)_|^_GLOBAL_OFFSET_TABLE_$'
}
# takes LAYER OTHER: what it takes from the other.
takes() {
	defines "$2" >"$scratch/other"
	wants "$1" | comm -12 - "$scratch/other"
}

# A list of what is allowed: whatever else a change brings in has to be looked at first.
libc='mem(chr|rchr|cmp|cpy|mem|move|pcpy|set)|str(n?(cat|cmp|cpy|dup|len)|n?casecmp|r?chr|chrnul|p?brk|c?spn|str|error|tou?ll?|toimax)'
libc="$libc|malloc|calloc|realloc|reallocarray|free|abort|qsort(_r)?|bsearch|v?sn?printf|sscanf"
libc="$libc|__(mem|str|v?sn?)[a-z]+_chk|__isoc(99|23)_(sscanf|strtou?ll?)|__errno_location|__ctype_(b|tolower|toupper)_loc|tolower|toupper"
verdict 'core.a calls only functions of libc that compute' "$(wants core | grep -vE "^($libc)$")"

# abort() is how running out of memory ends: see core/mem.h.
for layer in disk repo; do
	verdict "$layer.a neither prints nor exits" \
		"$(wants $layer | grep -E '^(exit|quick_exit|(__)?v?f?printf(_chk)?|puts|putchar|fputs|putc|perror|v?(warn|err)x?|stdout|stderr|syslog)$')"
done
verdict 'disk.a calls nothing of git and starts no program' \
	"$(wants disk | grep -E '^(git_.*|v?fork|exec.*|posix_spawn.*|system|popen)$')"
verdict 'disk.a takes nothing from repo.a' "$(takes disk repo)"
verdict 'repo.a takes nothing from disk.a' "$(takes repo disk)"

# The map has a line "    <file> <what it is>" for each .c and .h of a layer, below the layer's name.
awk '/^`merge-maildir\// { gsub(/[`:]/, "", $1); layer = $1; next }
	/^[^ ]/ { layer = "" }
	layer && /^    [a-z]/ && NF > 1 { print layer "/" $1 }' README.md | sort >"$scratch/map"
find "$src" -name '*.[ch]' | sed 's/\.[ch]$//' | sort -u >"$scratch/files"
verdict 'README.md maps every source file' "$(comm -13 "$scratch/map" "$scratch/files")"
verdict 'README.md maps no file that is not there' "$(comm -23 "$scratch/map" "$scratch/files")"

echo "1..$count"
[ "$bad" = 0 ]
