#!/bin/sh
#
# units.t -- what is installed for systemd and cron starts what it says: for the user's Maildir, or for those that a file names.
. ./tests/lib.sh

make -s -C "$TOP" install O="$BUILD" PREFIX=/usr/local DESTDIR="$TRASH/dest" >"$HOME/make" 2>&1 || { cat "$HOME/make"; exit 1; }
units=$TRASH/dest/usr/local/lib/systemd/system

# command_of UNIT: its ExecStart as a shell line, as systemd would run it but for what it splits at blanks, which has no blanks inside quotes of its own.
command_of() {
	sed -n 's/^ExecStart=//p' "$units/$1" | sed 's/\$\$/$/g'
}

# Stand-ins that tell how they were called.
mkdir -p "$TRASH/bin" "$HOME/Maildir"
cat >"$TRASH/bin/git-maildir-watch" <<'END'
#!/bin/sh
for arg; do echo "<$arg>"; done
END
chmod 755 "$TRASH/bin/git-maildir-watch"

watches() {
	command_of git-maildir-watch@.service | sed "s|/usr/local/bin|$TRASH/bin|" >line
	[ "$(sh -c "$(cat line)")" = "<$HOME/Maildir>" ]
	[ "$(WATCH=--all=/var/vmail sh -c "$(cat line)")" = '<--all=/var/vmail>' ]
}
t 'the unit watches the Maildir of its user, or what a file says' watches

prunes() {
	mkmaildir many/joe/Maildir many/ann/Maildir
	for user in joe ann; do
		mkmsg "many/$user/Maildir" new 1700000000.M1P1.x
		git maildir init --name=mx1 "many/$user/Maildir" >/dev/null
		mkmsg "many/$user/Maildir" new 1700000001.M1P1.x
		git -C "many/$user/Maildir" maildir record
		[ "$(git -C "many/$user/Maildir" rev-list --count HEAD)" = 2 ]
	done
	# systemd has no shell that would take the parentheses for its own.
	command_of git-maildir-prune@.service | sed 's/ ( / \\( /; s/ ) / \\) /' >line
	PRUNE=$TRASH/many sh -c "$(cat line)"
	for user in joe ann; do
		[ "$(git -C "many/$user/Maildir" rev-list --count HEAD)" = 1 ]
	done
}
t 'the timer prunes every member below the directory' prunes

verified() {
	cd "$units"
	for unit in git-maildir-watch@.service git-maildir-prune@.service git-maildir-prune@.timer; do
		cp "$unit" "${unit%@*}@root.${unit##*.}"
	done
	# The manual is not installed where systemd looks for it, and the programs need not be.
	for unit in *@root.*; do
		SYSTEMD_UNIT_PATH=$units:/lib/systemd/system:/usr/lib/systemd/system systemd-analyze verify "./$unit" 2>&1
	done | grep -vE "Command 'man |is not executable: No such file" >found || true
	cat found
	[ ! -s found ]
}
if command -v systemd-analyze >/dev/null; then
	t 'systemd finds nothing wrong with the units' verified
else
	skip 'systemd finds nothing wrong with the units' 'needs systemd-analyze'
fi

crontab_lines() {
	table=$TRASH/dest/usr/local/share/git-maildir/git-maildir.crontab
	grep -q '^PATH=/usr/local/bin:' "$table"
	git maildir init --name=mx1 "$HOME/Maildir" >/dev/null 2>&1 || { mkmaildir "$HOME/Maildir"; git maildir init --name=mx1 "$HOME/Maildir"; }
	sed -n 's/^\* \* \* \* \* *//p' "$table" >line
	[ -s line ]
	sh -c "$(cat line)" &
	soon grep -q ready "$HOME/git-maildir-watch.log"
	watch=$(pgrep -f "^git-maildir-watch --no-wait $HOME/Maildir")
	# While one is there no other is started.
	soon status_is 4 sh -c "$(cat line)"
	kill "$watch"
	wait
	sed -n 's/^17 3 \* \* \* *//p' "$table" >line
	sh -c "$(cat line)"
}
t 'the lines for crontab watch, once, and prune' crontab_lines

done_testing
