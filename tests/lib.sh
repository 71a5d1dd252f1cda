# lib.sh -- TAP and Maildirs for end-to-end tests in POSIX sh: ". ./tests/lib.sh" from the top, run under prove.
# shellcheck shell=sh
#
# Each script works in a fresh directory ($TRASH), which is removed at the end, or kept and named after a failure. Nothing
# of the user's configuration, language or time zone is seen. In functions that t runs, set -e is on: every command must succeed.

TOP=$PWD
[ -f "$TOP/tests/lib.sh" ] || { echo "Bail out! run the tests from the top of the source"; exit 1; }
BUILD=${BUILD:-$TOP/build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
[ -x "$BUILD/git-maildir" ] || { echo "Bail out! no '$BUILD/git-maildir': run make first, or set BUILD"; exit 1; }

TRASH=$(mktemp -d "${TMPDIR:-/tmp}/git-maildir-test.XXXXXX") || exit 1
TRASH=$(cd "$TRASH" && pwd -P)
for name in $(env | sed -n 's/^\(GIT_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
unset XDG_CONFIG_HOME EDITOR VISUAL CDPATH
export HOME="$TRASH/home" GIT_CONFIG_GLOBAL="$TRASH/home/.gitconfig" GIT_CONFIG_NOSYSTEM=1
export LC_ALL=C TZ=UTC TERM=dumb GIT_PAGER=cat GIT_TERMINAL_PROMPT=0 GIT_EDITOR=:
export PATH="$BUILD:$PATH"
umask 022
mkdir -p "$HOME"
git config --global user.name 'Test Person'
git config --global user.email person@example.org
git config --global init.defaultBranch main
cd "$TRASH" || exit 1

tests=0 failures=0
# A background sync may still be writing when the script ends: rm is tried again.
finish() {
	cd / || exit 1
	[ "$tests" = 0 ] || settle >&2
	if [ "$failures" = 0 ] && [ -z "${KEEP:-}" ]; then
		rm -rf "$TRASH" 2>/dev/null || { sleep 1; rm -rf "$TRASH"; }
	else
		echo "# kept: $TRASH"
	fi
}
trap finish EXIT
trap 'failures=1; exit 1' HUP INT TERM

diag() {
	sed 's/^/# /'
}

# t SENTENCE COMMAND...: one test. The command or function runs in a subshell in $TRASH.
t() {
	sentence=$1
	shift
	tests=$((tests + 1))
	(
		set -e
		"$@"
	) >"$HOME/out" 2>&1 </dev/null
	status=$? # not "if (...)": that would switch set -e off
	if [ $status = 0 ]; then
		echo "ok $tests - $sentence"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $sentence"
		tail -n 100 "$HOME/out" | diag
	fi
}

# skip SENTENCE WHY: a test that cannot run here. skip_all WHY: none of the script can.
skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() {
	echo "1..$tests"
	[ "$failures" = 0 ]
	exit
}

# status_is N COMMAND...: succeeds if the command ends with exactly this status.
status_is() {
	wanted=$1
	shift
	status=0
	"$@" || status=$?
	[ "$status" = "$wanted" ] || { echo "status $status instead of $wanted: $*"; return 1; }
}

# not COMMAND...: succeeds if it fails; "! command" would not end a test.
not() {
	if "$@"; then
		echo "succeeded: $*"
		return 1
	fi
}

# settle: waits until nothing that the hooks started runs in a directory below $TRASH any more.
busy() {
	find /proc/[0-9]*/cwd -maxdepth 0 -lname "$TRASH/*" 2>/dev/null
}
settle() {
	tries=0
	while [ -n "$(busy)" ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { echo "runs for ever: $(busy)"; return 1; }
		sleep 0.05
	done
}

# soon COMMAND...: tries for ten seconds; for what happens in the background.
soon() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { "$@"; return; }
		sleep 0.1
	done
}

# mkmaildir DIR...: folders with cur/, new/ and tmp/.
mkmaildir() {
	for dir; do
		mkdir -p "$dir/cur" "$dir/new" "$dir/tmp"
		chmod 700 "$dir" "$dir/cur" "$dir/new" "$dir/tmp"
	done
}

# mkmsg DIR SUB NAME [SUBJECT|-] [MTIME]: delivers a message, through tmp/ as a mail server does; "-": from standard input.
# Its mtime is MTIME (seconds), or what the name says, or now.
mkmsg() {
	if [ "${4:-}" = - ]; then
		cat >"$1/tmp/$3"
	else
		printf 'From: sender@example.org\nTo: person@example.org\nSubject: %s\nMessage-ID: <%s@example.org>\n\nText of %s.\n' \
			"${4:-$3}" "${3%%:*}" "${4:-$3}" >"$1/tmp/$3"
	fi
	when=${5:-${3%%[!0-9]*}}
	chmod 600 "$1/tmp/$3"
	[ -z "$when" ] || touch -d "@$when" "$1/tmp/$3"
	mv "$1/tmp/$3" "$1/$2/$3"
}

# member NAME...: makes a Maildir of that name, unless there is one, and turns it into the member of that name.
member() {
	for name; do
		[ -d "$name/cur" ] || mkmaildir "$name"
		git maildir init --name="$name" "$name"
	done
}

# join NEW OLD...: a new member, cloned from the first of the old ones; each of the old ones and the new one are peers then.
join() {
	new=$1
	shift
	git maildir clone --name="$new" "$TRASH/$1.git" "$new"
	first=$1
	for old; do
		git -C "$old" maildir peer add "$new" "$TRASH/$new.git"
		[ "$old" = "$first" ] || git -C "$new" maildir peer add "$old" "$TRASH/$old.git"
	done
}

# some_mail NAME: a Maildir with an INBOX and a folder.
some_mail() {
	mkmaildir "$1" "$1/.Work"
	mkmsg "$1" new 1700000001.M1P1.host 'First'
	mkmsg "$1" cur 1700000002.M1P1.host:2,S 'Second'
	mkmsg "$1" cur 1700000003.M1P1.host:2,FS 'Third'
	mkmsg "$1" cur 1700000004.M1P1.host:2,S 'Old one' 1107569105
	mkmsg "$1/.Work" cur 1700000005.M1P1.host:2,RS 'Work'
}

# pair [A B], trio [A B C]: members that hold the same mail (some_mail, unless there is a Maildir A) and are each other's peers.
pair() {
	[ -d "${1:-a}/cur" ] || some_mail "${1:-a}"
	member "${1:-a}"
	join "${2:-b}" "${1:-a}"
}
trio() {
	pair "${1:-a}" "${2:-b}"
	join "${3:-c}" "${1:-a}" "${2:-b}"
}

# mail_list DIR: every folder, and of every message folder/sub/name, mtime in seconds, and hash of its content.
mail_list() (
	cd "$1" || exit 1
	find . -name .git -prune -o -type d -name cur -print | sed 's|/cur$||; s|^|folder |' | sort
	find . -name .git -prune -o -type f \( -path '*/cur/*' -o -path '*/new/*' \) -exec stat -c 'mtime %Y %n' {} + | sort
	find . -name .git -prune -o -type f \( -path '*/cur/*' -o -path '*/new/*' \) -exec sha1sum {} + | sort
)

# files_of DIR: all that is there with mode, inode, size and mtime; of directories only the modes, because locks come and go in them.
files_of() {
	find "$1" -type d -printf '%y %m %p\n' -o -printf '%y %m %i %s %T@ %p\n' | sort
}

# apart M...: these tell nobody by themselves what they have from now on.
apart() {
	for m; do git -C "$m" config maildir.autoPush false; done
}

# same_mail A B...: all hold the same folders and messages; prints the difference.
same_mail() {
	mail_list "$1" >"$HOME/mail.1"
	one=$1
	shift
	for other; do
		mail_list "$other" >"$HOME/mail.2"
		diff "$HOME/mail.1" "$HOME/mail.2" || { echo "the mail of $one (<) and $other (>) differs"; return 1; }
	done
}

# same_head A B...: all are at the same commit.
same_head() {
	[ "$(for m; do git -C "$m" rev-parse HEAD; done | sort -u | wc -l)" = 1 ] && return
	for m; do echo "$m: $(git -C "$m" log -1 --format='%H %s')"; done
	return 1
}

# clean M...: git sees nothing to commit and nothing broken, and no tmp/ holds a file. (What a kill left unreferenced is no fault.)
clean() {
	for m; do
		git -C "$m" status --porcelain >"$HOME/clean"
		git -C "$m" fsck --strict --no-dangling --no-progress >>"$HOME/clean" 2>&1 || echo "git fsck: status $?" >>"$HOME/clean"
		(cd "$m" && find . -path '*/tmp/*') >>"$HOME/clean"
		[ ! -s "$HOME/clean" ] || { echo "$m is not clean:"; cat "$HOME/clean"; return 1; }
	done
}

heads() {
	for m; do git -C "$m" rev-parse HEAD; done
}

# together M...: syncs until nothing moves; then all are the same.
together() {
	round=1
	while [ $round -lt 5 ]; do
		before=$(heads "$@")
		for m; do
			git -C "$m" maildir sync >>"$HOME/synced"
			settle
		done
		[ "$before" != "$(heads "$@")" ] || break
		round=$((round + 1))
	done
	[ $round -lt 5 ] || { echo "no rest after 4 rounds"; return 1; }
	same_mail "$@"
	same_head "$@"
	clean "$@"
}
