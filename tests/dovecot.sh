# dovecot.sh -- private Dovecots for tests: . $TOP/tests/dovecot.sh after lib.sh. Needs root, because Dovecot does.
# shellcheck shell=sh
#
# One Dovecot serves $TRASH/<user> as the Maildir of any user (start_dovecot), or each member has one of its own, which serves
# $TRASH/<member> to any user (start_dovecots a b; port a). The password is "pw", the port of 127.0.0.1 one that was free; sockets, pid and
# log are in $DOVECOT or $DOVECOT-<member>. Those of members are configured with scripts/dovecot-git-maildir.conf, as the manual says.
# Mail belongs to uid $MAIL_UID, and as_mail runs commands as that user with a copy of the program that it can reach.

DOVECOT=$TRASH/dovecot
MAIL_UID=5000
IMAP=$TOP/tests/imap.py
SNIPPET=$TOP/scripts/dovecot-git-maildir.conf
LAYOUT=${LAYOUT:-maildir++}

# need_dovecot: skips the whole script where it cannot run.
need_dovecot() {
	[ "$(id -u)" = 0 ] || skip_all 'needs root, which Dovecot needs'
	command -v dovecot >/dev/null || skip_all 'needs dovecot'
	case $(dovecot --version) in 2.3.*) ;; *) skip_all 'needs a Dovecot 2.3: the configuration is written for it' ;; esac
	[ -x /usr/lib/dovecot/imap ] || skip_all 'needs the IMAP server of Dovecot'
	command -v setpriv >/dev/null || skip_all 'needs setpriv'
	command -v python3 >/dev/null || skip_all 'needs python3'
	mkdir -p "$TRASH/bin" "$TRASH/mailhome" "$DOVECOT"
	cp "$BUILD/git-maildir" "$TRASH/bin/"
	ln -s git-maildir "$TRASH/bin/git-merge-maildir"
	ln -s git-maildir "$TRASH/bin/merge-maildir"
	cp "$GIT_CONFIG_GLOBAL" "$TRASH/mailhome/.gitconfig"
	# A program too, so that what is no shell can run commands in that way.
	cat >"$TRASH/as_mail" <<-END
		#!/bin/sh
		exec setpriv --reuid=$MAIL_UID --regid=$MAIL_UID --clear-groups \\
			env HOME='$TRASH/mailhome' GIT_CONFIG_GLOBAL='$TRASH/mailhome/.gitconfig' PATH='$TRASH/bin:$PATH' "\$@"
	END
	chmod 755 "$TRASH/as_mail"
	chmod 711 "$TRASH"
	chown "$MAIL_UID:$MAIL_UID" "$TRASH" "$TRASH/mailhome"
	as_mail test -x "$TRASH/bin/git-maildir" || skip_all "needs a TMPDIR that other users can enter"
}

as_mail() {
	"$TRASH/as_mail" "$@"
}

# For settle of lib.sh: Dovecot's own processes are not waited for.
busy() {
	find /proc/[0-9]*/cwd -maxdepth 0 -lname "$TRASH/*" ! -lname "$DOVECOT*" 2>/dev/null
}

# mail_pair A B: the Maildir A in $TRASH becomes a member, B a clone of it, and each is the other's peer.
mail_pair() {
	chown -R "$MAIL_UID:$MAIL_UID" "$TRASH/$1"
	as_mail git maildir init --name="$1" "$TRASH/$1"
	as_mail git maildir clone --name="$2" "$TRASH/$1.git" "$TRASH/$2"
	as_mail git -C "$TRASH/$1" maildir peer add "$2" "$TRASH/$2.git"
}

# mail_cluster A B...: the same for any number; each is a peer of every other.
mail_cluster() {
	mail_pair "$1" "$2"
	old="$1 $2"
	shift 2
	for new; do
		as_mail git maildir clone --name="$new" "$TRASH/${old%% *}.git" "$TRASH/$new"
		for one in $old; do
			as_mail git -C "$TRASH/$one" maildir peer add "$new" "$TRASH/$new.git"
			[ "$one" = "${old%% *}" ] || as_mail git -C "$TRASH/$new" maildir peer add "$one" "$TRASH/$one.git"
		done
		old="$old $new"
	done
}

# dovecot_config PORT DIR MAIL_LOCATION
dovecot_config() {
	cat <<-END
		base_dir = $2/run
		state_dir = $2/run
		instance_name = git-maildir-test
		log_path = $2/log
		protocols = imap
		ssl = no
		disable_plaintext_auth = no
		auth_mechanisms = plain
		listen = 127.0.0.1
		mail_location = maildir:$3
		first_valid_uid = 1
		default_process_limit = 50
		default_client_limit = 200
		mail_max_userip_connections = 100
		passdb {
		  driver = static
		  args = password=pw
		}
		userdb {
		  driver = static
		  args = uid=$MAIL_UID gid=$MAIL_UID home=$2/home/%u
		}
		service imap-login {
		  inet_listener imap {
		    port = $1
		  }
		  inet_listener imaps {
		    port = 0
		  }
		}
		namespace inbox {
		  inbox = yes
		}
	END
}

# start_dovecot: sets $PORT. Somebody else may take the port between the look and the start: then another one is tried.
start_dovecot() {
	start_one "$DOVECOT" "$TRASH/%u" ''
}

# start_dovecots MEMBER...: one for each, which sees nothing of the others.
start_dovecots() {
	for m; do
		start_one "$DOVECOT-$m" "$TRASH/$m:LAYOUT=$LAYOUT" "!include $SNIPPET" || return 1
	done
}

# start_one DIR MAIL_LOCATION MORE_CONFIG
start_one() {
	install -d -m 755 "$1"
	install -d -m 700 -o "$MAIL_UID" -g "$MAIL_UID" "$1/home"
	for attempt in 1 2 3 4 5; do
		PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
		dovecot_config "$PORT" "$1" "$2" >"$1/conf"
		echo "$3" >>"$1/conf"
		rm -f "$1/log"
		if dovecot -c "$1/conf" >"$1/start" 2>&1 && soon test -s "$1/run/master.pid" && soon "$IMAP" "$PORT" probe capability; then
			echo "$PORT" >"$1/port"
			rm -rf "$TRASH/probe"
			return
		fi
		echo "attempt $attempt on port $PORT:"
		cat "$1/start" "$1/log"
		stop_one "$1"
	done
	return 1
}

# port MEMBER: where its Dovecot listens.
port() {
	cat "$DOVECOT-$1/port"
}

# stop_dovecot: only ever those that were started here.
stop_dovecot() {
	for dir in "$DOVECOT" "$DOVECOT"-*; do
		[ ! -d "$dir" ] || stop_one "$dir"
	done
}
stop_one() {
	if [ -s "$1/run/master.pid" ]; then
		pid=$(cat "$1/run/master.pid")
		kill "$pid" 2>/dev/null
		tries=0
		while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do
			tries=$((tries + 1))
			sleep 0.1
		done
	fi
}

# logs [MEMBER...]: the logs of these, or of all that were started.
logs() {
	if [ $# = 0 ]; then
		find "$DOVECOT"* -maxdepth 1 -name log
	else
		for m; do echo "$DOVECOT-$m/log"; done
	fi
}
# log_is_quiet [MEMBER...]: Dovecot saw nothing that it warns of.
log_is_quiet() {
	logs "$@" | while read -r log; do
		not grep -E "$TROUBLE" "$log" || exit 1
	done
}
TROUBLE='Warning|Error|Fatal|Panic'

# log_is_quiet_but_for_renames [MEMBER...]: a session that is at work in a folder when a peer's rename of it comes may find a file gone that it had there a moment ago, such as the
# temporary one of a message that it saves (unlink), or its log (stat, for the list of folders). It says so, tells the client, and nothing is lost.
log_is_quiet_but_for_renames() {
	logs "$@" | while read -r log; do
		grep -E "$TROUBLE" "$log" | while read -r line; do
			path=$(echo "$line" | sed -n 's/.*Error: .*(\(\/[^()]*\)) failed: No such file or directory.*/\1/p')
			[ -n "$path" ] && [ ! -d "${path%/*}" ] || echo "$line"
		done
	done >"$HOME/trouble"
	not grep . "$HOME/trouble"
}

# imap MEMBER ARGS...: a client of that member: see imap.py. client MEMBER: does there what standard input says.
imap() {
	member=$1
	shift
	"$IMAP" "$(port "$member")" mail "$@"
}
client() {
	imap "$1" 'do'
}

# imap_dump MEMBER: all that an IMAP client can see of it that must be equal on all members, as text that diff understands.
imap_dump() {
	conf=$DOVECOT-$1/conf
	doveadm -c "$conf" -f flow fetch -u mail \
		'mailbox uid guid flags date.received hdr.message-id size.virtual size.physical' ALL >"$HOME/fetched" || return 1
	python3 -c 'import re, sys
def flags(m):
	return "flags=" + " ".join(sorted(set(m.group(1).split()) - {"\\Recent"})) + " date.received="
print("".join(sorted(re.sub(r"flags=(.*?) ?date\.received=", flags, line) for line in sys.stdin)), end="")' <"$HOME/fetched" || return 1
	doveadm -c "$conf" -f flow mailbox status -u mail 'messages uidnext uidvalidity guid' '*' >"$HOME/fetched" || return 1
	sort "$HOME/fetched"
	doveadm -c "$conf" mailbox list -s -u mail >"$HOME/fetched" || return 1
	sed 's/^/subscribed /' "$HOME/fetched" | sort
}

# same_imap A B...: a client sees the same on all of them.
same_imap() {
	for m; do
		imap_dump "$m" >"$HOME/imap.$m" || return 1
	done
	one=$1
	shift
	for m; do
		diff "$HOME/imap.$one" "$HOME/imap.$m" || { echo "IMAP on $one (<) and $m (>) differs"; return 1; }
	done
}

# sync_all M...: syncs until nothing moves any more.
sync_all() {
	round=1
	while [ $round -lt 6 ]; do
		before=$(mail_heads "$@")
		for m; do
			as_mail git -C "$TRASH/$m" maildir sync >>"$HOME/synced" || { echo "sync of $m: status $?"; return 1; }
			settle
		done
		[ "$before" != "$(mail_heads "$@")" ] || return 0
		round=$((round + 1))
	done
	echo 'no rest after 5 rounds'
	return 1
}
mail_heads() {
	for m; do as_mail git -C "$TRASH/$m" rev-parse HEAD || return 1; done
}

# mail_of MEMBER: folders, names and contents, but not the letters of keywords, which are a member's own.
mail_of() {
	mail_list "$TRASH/$1" | sed 's/\(:2,[A-Z]*\)[a-z]*$/\1/' | sort
}

# equal M...: they hold the same, on disk and for clients, at the same commit, and git sees nothing that is not recorded. Where members
# gave a letter to different keywords, the letters on disk differ, and git status shows these messages.
equal() {
	heads=$(mail_heads "$@")
	[ "$(echo "$heads" | sort -u | wc -l)" = 1 ] || { echo "heads of $*:" "$heads"; return 1; }
	for m; do
		as_mail git -C "$TRASH/$m" status --porcelain | sed '/cur\/[^\/]*:2,[A-Z]*[a-z][a-z]*"*$/d' >"$HOME/porcelain"
		[ ! -s "$HOME/porcelain" ] || { echo "git status of $m:"; cat "$HOME/porcelain"; return 1; }
		mail_of "$m" >"$HOME/mail.$m"
		diff "$HOME/mail.$1" "$HOME/mail.$m" || { echo "the mail of $1 (<) and $m (>) differs"; return 1; }
	done
	same_imap "$@"
}
# begin_as_one: members a and b, each with a Dovecot, which begin with what a client of a does: its script is standard input.
begin_as_one() {
	mkmaildir a
	chown -R "$MAIL_UID:$MAIL_UID" a
	start_dovecots a
	client a
	mail_pair a b
	start_dovecots b
	sync_all a b
	equal a b
}
# untouched M...: git status has nothing to show at all.
untouched() {
	for m; do
		as_mail git -C "$TRASH/$m" status --porcelain >"$HOME/porcelain"
		[ ! -s "$HOME/porcelain" ] || { echo "git status of $m:"; cat "$HOME/porcelain"; return 1; }
	done
}

# mail_count MEMBER: how many messages it has.
mail_count() {
	find "$TRASH/$1" -type f \( -path '*/cur/*' -o -path '*/new/*' \) | wc -l
}
