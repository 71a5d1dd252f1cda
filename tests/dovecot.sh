# dovecot.sh -- a private Dovecot for tests: . $TOP/tests/dovecot.sh after lib.sh. Needs root, because Dovecot does.
# shellcheck shell=sh
#
# It serves $TRASH/<user> as the Maildir of any user, password "pw", on a port of 127.0.0.1 that was free; sockets, pid and log are
# in $DOVECOT. Mail belongs to uid $MAIL_UID, and as_mail runs commands as that user with a copy of the program that it can reach.

DOVECOT=$TRASH/dovecot
MAIL_UID=5000
IMAP=$TOP/tests/imap.py

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
	chmod 711 "$TRASH"
	chown "$MAIL_UID:$MAIL_UID" "$TRASH" "$TRASH/mailhome"
	as_mail test -x "$TRASH/bin/git-maildir" || skip_all "needs a TMPDIR that other users can enter"
}

as_mail() {
	setpriv --reuid="$MAIL_UID" --regid="$MAIL_UID" --clear-groups \
		env HOME="$TRASH/mailhome" GIT_CONFIG_GLOBAL="$TRASH/mailhome/.gitconfig" PATH="$TRASH/bin:$PATH" "$@"
}

# mail_pair A B: the Maildir A in $TRASH becomes a member, B a clone of it, and each is the other's peer.
mail_pair() {
	chown -R "$MAIL_UID:$MAIL_UID" "$TRASH/$1"
	as_mail git maildir init --name="$1" "$TRASH/$1"
	as_mail git maildir clone --name="$2" "$TRASH/$1.git" "$TRASH/$2"
	as_mail git -C "$TRASH/$1" maildir peer add "$2" "$TRASH/$2.git"
}

dovecot_config() {
	cat <<-END
		base_dir = $DOVECOT/run
		state_dir = $DOVECOT/run
		instance_name = git-maildir-test
		log_path = $DOVECOT/log
		protocols = imap
		ssl = no
		disable_plaintext_auth = no
		auth_mechanisms = plain
		listen = 127.0.0.1
		mail_location = maildir:$TRASH/%u
		first_valid_uid = 1
		default_process_limit = 50
		default_client_limit = 200
		passdb {
		  driver = static
		  args = password=pw
		}
		userdb {
		  driver = static
		  args = uid=$MAIL_UID gid=$MAIL_UID home=$DOVECOT/home/%u
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
	install -d -m 755 "$DOVECOT"
	install -d -m 700 -o "$MAIL_UID" -g "$MAIL_UID" "$DOVECOT/home"
	for attempt in 1 2 3 4 5; do
		PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
		dovecot_config "$PORT" >"$DOVECOT/conf"
		rm -f "$DOVECOT/log"
		if dovecot -c "$DOVECOT/conf" >"$DOVECOT/start" 2>&1 && soon test -s "$DOVECOT/run/master.pid" &&
			soon "$IMAP" "$PORT" probe list; then
			return
		fi
		echo "attempt $attempt on port $PORT:"
		cat "$DOVECOT/start" "$DOVECOT/log"
		stop_dovecot
	done
	return 1
}

# stop_dovecot: only ever the one that was started here.
stop_dovecot() {
	if [ -s "$DOVECOT/run/master.pid" ]; then
		pid=$(cat "$DOVECOT/run/master.pid")
		kill "$pid" 2>/dev/null
		tries=0
		while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do
			tries=$((tries + 1))
			sleep 0.1
		done
	fi
}

# log_is_quiet: Dovecot saw nothing that it warns of.
log_is_quiet() {
	if grep -E 'Warning|Error|Fatal|Panic' "$DOVECOT/log"; then
		return 1
	fi
}
