# lab.sh -- a laboratory for tests: . $TOP/tests/lab.sh after lib.sh. Needs root, and the packages that scripts/lab names.
# shellcheck shell=sh
#
# need_lab skips the whole script where there cannot be one. The laboratory is in $LAB, below $TRASH; it ends with the script, however that
# ends. Python that is run in a test finds it by $LAB: see labwork.py.

LAB=$TRASH/lab
export LAB BUILD LAB_OWNER=$$

need_lab() {
	[ "$(id -u)" = 0 ] || skip_all 'needs root'
	for program in ip unshare nsenter setpriv flock sshd dovecot postfix python3; do
		[ -n "$(PATH=$PATH:/usr/sbin:/sbin command -v $program)" ] || skip_all "needs $program"
	done
	[ -x /usr/lib/dovecot/imap ] || skip_all 'needs the IMAP server of Dovecot'
	case $(dovecot --version) in 2.3.*) ;; *) skip_all 'needs a Dovecot 2.3: the configuration is written for it' ;; esac
	unshare --net --pid --mount --uts --ipc --fork true 2>/dev/null || skip_all 'needs to make namespaces'
	trap 'lab_ends; finish' EXIT
}

lab() {
	"$TOP/scripts/lab" "$@"
}

# lab_ends: what its hosts logged is kept when a test failed (or with KEEP), and their mail.
lab_ends() {
	[ -d "$LAB/.lab" ] || return 0
	if [ "${failures:-0}" != 0 ] || [ -n "${KEEP:-}" ]; then
		for host in "$LAB"/*/log; do
			cp -r "$host" "$TRASH/log.$(basename "$(dirname "$host")")"
			[ ! -d "${host%/log}/disk/home/joe" ] || cp -a "${host%/log}/disk/home/joe" "$TRASH/joe.$(basename "$(dirname "$host")")"
		done
	fi
	lab down >&2
}

# lab_cluster A B...: hosts that are up, members, and each other's peers.
lab_cluster() {
	lab up "$@" && lab cluster
}

# lab_inbox [FOLDER...]: a client opens the INBOX of the first host, and makes folders; then all have them. Had each server to make its INBOX known to clients
# by itself, each would invent a UIDVALIDITY for it, of which one stays.
lab_inbox() {
	labwork "$@" <<-'END'
		first, before = lab.hosts()[0], lab.head(lab.hosts()[0])
		session = lab.imap(first)
		session.select("INBOX")
		for folder in sys.argv[1:]:
		    session.command("CREATE " + folder)
		session.close()
		end = time.monotonic() + 30
		while len({*lab.heads().values()}) > 1 or lab.head(first) == before:
		    assert time.monotonic() < end, lab.heads()
		    time.sleep(0.1)
		lab.stays_equal(seconds=1)
		lab.wait_until_equal(timeout=30)
	END
}

# labwork: Python on standard input, which begins with "from labwork import *; lab = Lab()". Arguments are its sys.argv[1:].
labwork() {
	{
		echo 'from labwork import *; lab = Lab()'
		cat
	} >"$HOME/script.py"
	PYTHONPATH="$TOP/tests" PYTHONDONTWRITEBYTECODE=1 python3 "$HOME/script.py" "$@"
}

# lab_logs_are_quiet [PATTERN]: no Dovecot and no Postfix saw anything that it warns of, but for what has PATTERN in it.
lab_logs_are_quiet() {
	for host in "$LAB"/*/log; do
		grep -hE 'Warning|Error|Fatal|Panic' "$host/dovecot"
		grep -hE 'warning|error|fatal|panic' "$host/postfix"
	done >"$HOME/logged" 2>&1 || true
	if [ -n "${1:-}" ]; then
		grep -vE "$1" "$HOME/logged" >"$HOME/logged.new" || true
		mv "$HOME/logged.new" "$HOME/logged"
	fi
	not grep . "$HOME/logged"
}
