#!/bin/sh
#
# man.t -- the manual pages are true: they agree with -h and name every configuration key, and mandoc finds no fault in them.
. ./tests/lib.sh

cd "$TOP" || exit 1

# synopsis PAGE: the SYNOPSIS as usage lines. What mandoc underlines is an argument: <arg>.
synopsis() {
	mandoc -Tascii -O width=1000 "man/$1" | awk '
		/^S\010SY\010Y/ { inside = 1; next }
		/^[^ ]/ { inside = 0 }
		inside && NF {
			line = $0
			while (match(line, /_\010[^_]([-_]\010.)*/)) {
				word = substr(line, RSTART, RLENGTH)
				gsub(/_\010/, "", word)
				line = substr(line, 1, RSTART - 1) "<" word ">" substr(line, RSTART + RLENGTH)
			}
			gsub(/.\010/, "", line)
			gsub(/ <\.\.\.>/, "...", line)
			gsub(/^ +| +$/, "", line)
			print line
		}'
}

# usage COMMAND...: the usage lines that -h prints, one for each form; fails unless -h ends with 0.
usage() {
	"$@" -h >"$HOME/usage" || { echo "-h: status $?"; return 1; }
	sed -n 's/^usage: //p; s/^       \(git[ -]\)/\1/p' "$HOME/usage"
}

agrees() {
	page=$1
	shift
	usage "$@" >"$HOME/said"
	synopsis "$page" >"$HOME/written"
	[ -s "$HOME/written" ]
	diff "$HOME/written" "$HOME/said"
}

t 'git-maildir.1 has the usage of git maildir -h as its SYNOPSIS' agrees git-maildir.1 git-maildir
for page in man/git-maildir-*.1; do
	verb=${page#man/git-maildir-}
	verb=${verb%.1}
	# A program of its own, which is no command of git maildir.
	if [ "$verb" = shell ]; then
		t "git-maildir-$verb.1 has the usage of git-maildir-$verb -h as its SYNOPSIS" agrees "${page#man/}" "git-maildir-$verb"
		continue
	fi
	t "git-maildir-$verb.1 has the usage of git maildir $verb -h as its SYNOPSIS" agrees "${page#man/}" git-maildir "$verb"
done
t 'git-merge-maildir.1 has its usage as SYNOPSIS' agrees git-merge-maildir.1 git-merge-maildir
t 'merge-maildir.1 has its usage as SYNOPSIS' agrees merge-maildir.1 merge-maildir

every_command_has_a_page() {
	git-maildir -h | sed -n 's/^    \([a-z][a-z]*\) .*/\1/p' >"$HOME/verbs"
	[ -s "$HOME/verbs" ]
	while read -r verb; do
		[ -f "man/git-maildir-$verb.1" ] || { echo "no page for '$verb'"; return 1; }
		grep -q "^\\.Xr git-maildir-$verb 1" man/git-maildir.1 || { echo "git-maildir.1 does not name '$verb'"; return 1; }
	done <"$HOME/verbs"
	for page in man/git-maildir-*.1; do
		verb=${page#man/git-maildir-}
		[ "$verb" != shell.1 ] || continue
		grep -qx "${verb%.1}" "$HOME/verbs" || { echo "no command for '$page'"; return 1; }
	done
}
t 'every command has a page, and every page a command' every_command_has_a_page

# Other packages' pages may not be installed, so mandoc's word on cross references is not asked for; ours are looked up here.
lint_is_clean() {
	mandoc -Tlint -Wstyle man/*.[17] 2>/dev/null | grep -v 'referenced manual not found' >"$HOME/lint" || :
	cat "$HOME/lint"
	[ ! -s "$HOME/lint" ]
}
references_are_there() {
	cat man/*.[17] | sed -nE 's/^\.Xr ((git-maildir|git-merge-maildir|merge-maildir|gitmaildir)[a-z-]*) ([0-9]).*/\1.\3/p' | sort -u >"$HOME/refs"
	[ -s "$HOME/refs" ]
	while read -r page; do
		[ -f "man/$page" ] || { echo "no man/$page"; return 1; }
	done <"$HOME/refs"
}
t 'mandoc finds no fault in the pages' lint_is_clean
t 'pages refer only to pages of ours that are there' references_are_there

# The keys that programs, hooks and scripts mention, and those that gitmaildir(7) documents.
keys_in_use() {
	cat merge-maildir/*/*.[ch] hooks/* | grep -oE '(^|[^A-Za-z./%-])maildir\.[a-z][A-Za-z]+|maildirPeer' |
		sed -E 's/^[^A-Za-z]//; s/^maildirPeer/remote.<name>.maildirPeer/' |
		grep -vE '^maildir\.(lock|git)$' | sort -u
}
keys_documented() {
	sed -nE 's/^\.It Cm ((maildir\.|remote\.)[^ ]+).*/\1/p' man/gitmaildir.7 | sort -u
}
keys_agree() {
	keys_in_use >"$HOME/used"
	keys_documented >"$HOME/documented"
	[ -s "$HOME/documented" ]
	diff "$HOME/used" "$HOME/documented"
}
t 'gitmaildir(7) documents exactly the configuration keys that are in use' keys_agree

# What init sets besides.
settings_are_documented() {
	sed -nE 's/^[[:space:]]*\{ "([a-z]+\.[A-Za-z.]+)", ".*/\1/p' merge-maildir/cmd/setup.c >"$HOME/settings"
	[ -s "$HOME/settings" ]
	while read -r key; do
		grep -qE "^\.It Cm (.* )?$key( |$)" man/gitmaildir.7 || { echo "'$key' is not in gitmaildir(7)"; return 1; }
	done <"$HOME/settings"
}
t 'gitmaildir(7) names every key of git that init sets' settings_are_documented

# Every status of cmd/exit.h is an item of EXIT STATUS.
statuses_agree() {
	sed -nE 's/^[[:space:]]*EXIT_[A-Z]+ = ([0-9]+).*/\1/p' merge-maildir/cmd/exit.h >"$HOME/statuses"
	sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9]\)$/\1/p' man/git-maildir.1 >"$HOME/items"
	[ -s "$HOME/items" ]
	diff "$HOME/statuses" "$HOME/items"
}
t 'git-maildir.1 lists every exit status' statuses_agree

done_testing
