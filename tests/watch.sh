# watch.sh -- watches for tests, behind lib.sh.
# shellcheck shell=sh disable=SC2154

# watch NAME ARGS...: starts one in the background. What it says is in $HOME/NAME.log, its exit status in the end in $HOME/NAME.status.
watch() {
	name=$1
	shift
	rm -f "$HOME/$name.pid" "$HOME/$name.status"
	(
		sh -c 'cd / && echo $$ >"$0.pid.new" && mv "$0.pid.new" "$0.pid" && exec git-maildir-watch "$@"' "$HOME/$name" "$@" && status=0 || status=$?
		echo "$status" >"$HOME/$name.status"
	) >>"$HOME/$name.log" 2>&1 </dev/null &
	within [ -s "$HOME/$name.pid" ]
}
pid_of() {
	cat "$HOME/$1.pid"
}
# unwatch NAME [SIGNAL]: ends it, and waits.
unwatch() {
	kill -s "${2:-TERM}" "$(pid_of "$1")"
	within [ -s "$HOME/$1.status" ]
}
unwatch_all() {
	for file in "$HOME"/*.pid; do
		[ -f "$file" ] || continue
		[ -s "${file%.pid}.status" ] || kill -s CONT "$(cat "$file")" 2>/dev/null
		[ -s "${file%.pid}.status" ] || kill "$(cat "$file")" 2>/dev/null
	done
	for file in "$HOME"/*.pid; do
		[ ! -f "$file" ] || within [ -s "${file%.pid}.status" ]
	done
}
trap 'unwatch_all; finish' EXIT

# within COMMAND...: tries for a minute and a half.
within() {
	since=$(date +%s)
	until "$@" >/dev/null 2>&1; do
		[ $(($(date +%s) - since)) -lt 90 ] || { echo "not within 90 s: $*"; "$@"; return; }
		sleep 0.05
	done
}
# equal A B...: the same mail and the same commit on all of them.
equal() {
	same_mail "$@" && same_head "$@"
}
# recorded M: HEAD is what is on disk.
recorded() {
	[ -z "$(git -C "$1" status --porcelain)" ]
}
says() {
	grep -qe "$2" "$HOME/$1.log"
}
# how_often NAME REGEX: how often.
how_often() {
	grep -ce "$2" "$HOME/$1.log"
}
log_of() {
	cat "$HOME/$1.log"
}
# none_missing LIST M...: all messages whose keys are in the list are in these Maildirs.
none_missing() {
	sort -u "$1" >"$HOME/wanted"
	shift
	for m; do
		find "$m" -path '*/cur/*' -o -path '*/new/*' | sed 's|.*/||; s|:.*||' | sort -u | comm -23 "$HOME/wanted" - >"$HOME/missing"
		[ ! -s "$HOME/missing" ] || { echo "not on $m:"; cat "$HOME/missing"; return 1; }
	done
}
