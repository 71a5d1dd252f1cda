# sshd.sh -- an sshd of the test's own on 127.0.0.1, for scripts that have read lib.sh: ". "$TOP/tests/sshd.sh"", then start_somewhere.
# shellcheck shell=sh
#
# ssh/user is a key that may do anything; ssh/authorized is authorized_keys. $port is where it listens. It ends with the script.

sshd=$(command -v sshd || echo /usr/sbin/sshd)
[ -x "$sshd" ] || skip_all 'no sshd'
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd

# A port that nobody listens on. Another script may take it before sshd does: then sshd is tried again with the next.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# new_key NAME: a key ssh/NAME.
new_key() {
	ssh-keygen -q -t ed25519 -N '' -C "$1" -f "ssh/$1"
}

# start_sshd PORT: with $sshd_more as further lines of its configuration.
sshd_more=
start_sshd() {
	cat >ssh/config <<-EOT
		ListenAddress 127.0.0.1
		Port $1
		HostKey $TRASH/ssh/host
		AuthorizedKeysFile $TRASH/ssh/authorized
		PidFile $TRASH/ssh/pid
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		$sshd_more
	EOT
	"$sshd" -f "$TRASH/ssh/config" -E "$TRASH/ssh/log" || return 1
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -s ssh/pid ] && return 0
		sleep 0.2
	done
	return 1
}
stop_sshd() {
	[ ! -s ssh/pid ] || kill "$(cat ssh/pid)"
	rm -f ssh/pid
}
trap 'stop_sshd; finish' EXIT

# start_somewhere: on a free port.
start_somewhere() {
	port=
	for _ in 1 2 3 4 5; do
		port=$(free_port)
		start_sshd "$port" && break
		port=
	done
	[ -n "$port" ] || skip_all "sshd does not start: $(tail -n 1 ssh/log)"
}

# ssh_with KEY: how ssh is called with a key of ours and nothing of the user's.
ssh_with() {
	echo "ssh -F none -i $TRASH/ssh/$1 -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no -o UserKnownHostsFile=$TRASH/ssh/known -o LogLevel=ERROR"
}

mkdir -m 700 ssh
new_key host
new_key user
cp ssh/user.pub ssh/authorized
chmod 600 ssh/authorized
