#!/bin/sh
#
# shell.t -- what a peer's ssh key can do when git-maildir-shell is its command: its member's work, and nothing else. Over a real sshd.
# shellcheck source=tests/lib.sh disable=SC2016,SC2046,SC2088 # the tilde is for the other end; the words of ssh_with are meant
. ./tests/lib.sh

# shellcheck source=tests/sshd.sh
. "$TOP/tests/sshd.sh"

# Two hosts: what is of mx1 lies in h1, which is also where logins begin; what is of mx2 in h2.
mkdir h1 h2
# shellcheck disable=SC2034 # for sshd.sh
sshd_more="SetEnv HOME=$TRASH/h1"
start_somewhere
base="ssh://127.0.0.1:$port$TRASH"

# bind KEY ROOT: the key of the member of this name may use what is below ROOT.
bind() {
	new_key "$1"
	echo "restrict,command=\"$BUILD/git-maildir-shell --root=$TRASH/$2 $1\" $(cat "ssh/$1.pub")" >>ssh/authorized
}
bind mx1 h2
bind mx2 h1

# as KEY COMMAND...: git with the key of a member.
as() {
	key=$1
	shift
	GIT_SSH_COMMAND=$(ssh_with "$key") "$@"
}

# says KEY COMMAND: what the other end answers to any command. One connection for all of a key, each command in a session of its own in it.
says() {
	$(ssh_with "$1") -o ControlMaster=auto -o "ControlPath=$TRASH/ssh/%C.$1" -o ControlPersist=yes -p "$port" 127.0.0.1 "$2" </dev/null >said 2>&1
}
hang_up() {
	for key in mx2 mx3; do
		ssh -F none -o "ControlPath=$TRASH/ssh/%C.$key" -O exit -p "$port" 127.0.0.1 2>/dev/null
	done
	stop_sshd
	finish
}
trap hang_up EXIT

# refused KEY PATTERN COMMAND: refused in one line, with status 128.
refused() {
	status=0
	says "$1" "$3" || status=$?
	tr -d '\0' <said
	[ "$status" = 128 ]
	[ "$(wc -l <said)" = 1 ]
	grep -q "^git-maildir-shell: .*$2" said
}

set_up() {
	some_mail h1/mx1
	git maildir init --name=mx1 h1/mx1
	git -C h1/mx1 config core.sshCommand "$(ssh_with mx1)"
	as mx2 git maildir clone --name=mx2 "$base/h1/mx1.git" h2/mx2
	git -C h2/mx2 config core.sshCommand "$(ssh_with mx2)"
	git -C h1/mx1 maildir peer add mx2 "$base/h2/mx2.git"
	git -C h1/mx1 maildir sync
	settle
	same_mail h1/mx1 h2/mx2
	same_head h1/mx1 h2/mx2
	clean h1/mx1 h2/mx2
}
t 'a second server is cloned and made a peer with keys that are bound to their members' set_up

both_ways() {
	mkmsg h1/mx1 new 1700000100.M1P1.mx1 'To mx2'
	git -C h1/mx1 maildir record
	soon test -e h2/mx2/new/1700000100.M1P1.mx1
	mv h2/mx2/new/1700000100.M1P1.mx1 h2/mx2/cur/1700000100.M1P1.mx1:2,S
	git -C h2/mx2 maildir record
	soon test -e h1/mx1/cur/1700000100.M1P1.mx1:2,S
	mkmsg h2/mx2/.Work new 1700000101.M1P1.mx2 'To mx1'
	git -C h2/mx2 maildir sync
	soon test -e h1/mx1/.Work/new/1700000101.M1P1.mx2
	settle
	same_mail h1/mx1 h2/mx2
	same_head h1/mx1 h2/mx2
	clean h1/mx1 h2/mx2
	git -C h2/mx2 fetch mx1
	git -C h2/mx2 maildir peer add mx1 "$base/h1/mx1.git"
}
t 'mail and flags go both ways' both_ways

lines() {
	git -C h1/mx1 maildir peer add mx2 "$base/h2/mx2.git" >said
	cat said
	grep -qFx "    $(grep ' mx1" ' ssh/authorized)" said
	grep -qFx "    restrict,command=\"$BUILD/git-maildir-shell --root=$TRASH/h1 mx2\" <public key of mx2>" said
	# A path that begins in the home directory needs no root.
	git -C h2/mx2 maildir peer remove mx1
	printf 'Host there\n\tHostName 127.0.0.1\n\tPort %s\n\tIdentityFile %s\nStrictHostKeyChecking no\nUserKnownHostsFile %s\n' "$port" "$TRASH/ssh/mx2" "$TRASH/ssh/known" >ssh/client
	GIT_SSH_COMMAND="ssh -F $TRASH/ssh/client" git -C h2/mx2 maildir peer add mx1 there:mx1.git >said
	cat said
	grep -qFx "    restrict,command=\"$BUILD/git-maildir-shell mx2\" $(cat ssh/mx2.pub)" said
	git -C h2/mx2 maildir peer remove mx1
	git -C h2/mx2 maildir peer add mx1 "$base/h1/mx1.git"
	# A peer on this host needs no key.
	some_mail h1/near
	git maildir init --name=near h1/near
	git -C h1/mx1 maildir peer add near "$TRASH/h1/near.git" >said
	git -C h1/mx1 maildir peer remove near
	[ "$(wc -l <said)" = 1 ]
	rm -rf h1/near h1/near.git
}
t 'peer add prints the lines for authorized_keys of both ends' lines

names() {
	for path in mx1.git mx1 mx1.git/ "$TRASH/h1/mx1.git" "$TRASH/h1/../h1/mx1" '~/mx1.git' './mx1.git//'; do
		says mx2 "git-upload-pack '$path'" || :
		tr -d '\0' <said | grep -a -q 'refs/heads/main' || { echo "refused: $path"; cat said; return 1; }
	done
	says mx2 "git receive-pack 'mx1'" || :
	tr -d '\0' <said | grep -a -q 'refs/heads/main'
}
t 'a Maildir is found as git finds it: by its repository, by itself, from the home directory' names

no_shell() {
	refused mx2 "may not run this: only git's fetch and push are allowed: id$" id
	refused mx2 'may not run this' 'sh -c id'
	refused mx2 'may not run this' "git-upload-archive 'mx1.git'"
	refused mx2 'may not run this' "git-shell -c 'id'"
	refused mx2 'may not run this' 'scp -t /tmp'
	refused mx2 'may not run this' '/usr/lib/openssh/sftp-server'
	refused mx2 'may not run this' "git-maildir hook post-receive"
	refused mx2 'not quoted' "git-upload-pack 'mx1.git'; id"
	refused mx2 'not quoted' "git-upload-pack 'mx1.git' ; touch $TRASH/evil"
	refused mx2 'not quoted' 'git-upload-pack mx1.git'
	refused mx2 'not quoted' "git-upload-pack 'mx1.git' --timeout=1"
	refused mx2 'not quoted' "git-upload-pack --strict 'mx1.git'"
	refused mx2 'not quoted' "git-upload-pack 'mx1.git'\$(id)"
	refused mx2 'not quoted' "git-upload-pack \"\$(touch $TRASH/evil)\""
	refused mx2 'not quoted' "git-upload-pack 'mx1.git'
id"
	refused mx2 'control characters' "git-upload-pack 'mx1.git
id'"
	refused mx2 'options are not allowed' "git-upload-pack '--upload-pack=id'"
	refused mx2 'options are not allowed' "git-receive-pack '--help'"
	refused mx2 'names no repository' "git-upload-pack ''"
	refused mx2 "'\$(id)' is not a member's repository" "git-upload-pack '\$(id)'"
	refused mx2 "'\`id\`;id' is not a member's repository" "git-upload-pack '\`id\`;id'"
	[ ! -e evil ]
	# Without any command there is no shell, and no terminal.
	status=0
	$(ssh_with mx2) -p "$port" 127.0.0.1 </dev/null >said 2>&1 || status=$?
	cat said
	[ "$status" = 128 ]
	grep -q "this key of peer 'mx2' is for git's fetch and push alone: no login" said
	$(ssh_with mx2) -tt -p "$port" 127.0.0.1 </dev/null >said 2>&1 || status=$?
	[ "$status" = 128 ] || [ "$status" = 255 ]
}
t 'a key runs no shell and no other program, however the command is put' no_shell

no_files() {
	echo text >file
	status=0
	sftp -q -b /dev/null -F none -i ssh/mx2 -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile="$TRASH/ssh/known" -P "$port" 127.0.0.1 >said 2>&1 </dev/null || status=$?
	[ "$status" != 0 ]
	for o in -O -s; do
		status=0
		scp "$o" -q -F none -i ssh/mx2 -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile="$TRASH/ssh/known" -P "$port" file "127.0.0.1:$TRASH/evil" >said 2>&1 || status=$?
		[ "$status" != 0 ]
	done
	[ ! -e evil ]
}
t 'a key copies no files by scp or sftp' no_files

no_forwarding() {
	other=$(free_port)
	for o in "-L $other:127.0.0.1:$port" "-R $other:127.0.0.1:$port" "-W 127.0.0.1:$port" "-A" "-X"; do
		# shellcheck disable=SC2086 # words
		timeout 20 $(ssh_with mx2) -o ExitOnForwardFailure=yes -p "$port" $o 127.0.0.1 "git-upload-pack 'mx1.git'" </dev/null >said 2>&1 || :
		not grep -a -q '^SSH-2.0' said
	done
	$(ssh_with mx2) -N -L "$other:127.0.0.1:$port" -p "$port" 127.0.0.1 >said 2>&1 &
	tunnel=$!
	# The port is open at our end; what comes through it is nothing.
	soon python3 -c "import socket; socket.create_connection(('127.0.0.1', $other), 5).close()"
	got=$(python3 -c "
import socket
s = socket.create_connection(('127.0.0.1', $other), 5)
s.settimeout(5)
print(s.recv(100))" 2>&1 || :)
	kill "$tunnel"
	wait "$tunnel" || :
	echo "$got"
	case $got in *SSH-*) return 1 ;; esac
}
t 'a key forwards no port' no_forwarding

other_trees() {
	# A member elsewhere, what is no member, and ways to them.
	some_mail outside
	git maildir init --name=out outside
	git init -q --bare h1/plain.git
	git init -q h1/work
	ln -s "$TRASH/outside.git" h1/link.git
	ln -s "$TRASH" h1/up
	mkdir h1/gitfile
	echo "gitdir: $TRASH/outside.git" >h1/gitfile/.git
	for path in "$TRASH/outside.git" "$TRASH/outside" ../outside.git '~/../outside.git' "$TRASH/h1/../outside.git" link.git link up/outside.git gitfile \
		plain.git plain work work/.git / . .. ~ '~root' "~root/h1/mx1.git" "$TRASH/h2/mx2.git" nowhere /etc/passwd mx1.git/refs mx1/cur "h1/mx1.git'"; do
		for verb in git-upload-pack git-receive-pack; do
			refused mx2 "is not a member's repository that peer 'mx2' may use" "$verb '$(echo "$path" | sed "s/'/'\\\\''/g")'"
		done
	done
	# One and the same answer for what is there and for what is not.
	says mx2 "git-upload-pack '../outside.git'" || :
	sed 's/outside/nowhere/' said >one
	says mx2 "git-upload-pack '../nowhere.git'" || :
	cmp one said
	# The root can be the repository itself.
	some_mail h1/second
	git maildir init --name=second h1/second
	new_key mx3
	echo "restrict,command=\"$BUILD/git-maildir-shell --root=$TRASH/h1/mx1.git mx3\" $(cat ssh/mx3.pub)" >>ssh/authorized
	as mx3 git ls-remote "$base/h1/mx1.git" >/dev/null
	refused mx3 "is not a member's repository" "git-upload-pack 'second.git'"
}
t 'a key reads no other tree, below the root or outside of it, by dots, links or files' other_trees

# Peers can send files: some that look like a repository, whose configuration runs what its maker likes.
planted() {
	git init -q --bare planted
	git -C planted config core.alternateRefsCommand "touch $TRASH/evil; :"
	git -C planted config core.hooksPath hooks
	mkdir planted/maildir
	echo x >planted/maildir/x
	cp h1/mx1.git/hooks/* planted/hooks/
	cp -r planted h1/mx1/planted
	for path in mx1/planted "$TRASH/h1/mx1/planted" mx1/planted/; do
		refused mx2 "is not a member's repository" "git-upload-pack '$path'"
		refused mx2 "is not a member's repository" "git-receive-pack '$path'"
	done
	[ ! -e evil ]
	rm -r h1/mx1/planted
}
t 'files in a Maildir that look like a repository are none' planted

# push_refused PATTERN REFSPEC...: mx2 tries to write in mx1, and does not.
push_refused() {
	pattern=$1
	shift
	git -C h1/mx1 for-each-ref >refs.before
	status=0
	as mx2 git -C h2/mx2 push "$base/h1/mx1.git" "$@" >said 2>&1 || status=$?
	cat said
	[ "$status" != 0 ]
	grep -q "$pattern" said
	git -C h1/mx1 for-each-ref >refs.after
	diff refs.before refs.after
}

other_refs() {
	git -C h1/mx1 config remote.mx4.url "$TRASH/mx4.git"
	git -C h1/mx1 update-ref refs/remotes/mx4/main HEAD~1
	git -C h1/mx1 tag kept HEAD~1
	git -C h1/mx1 branch kept HEAD~1
	push_refused "may not write the state of 'mx4'" +HEAD:refs/remotes/mx4/main
	push_refused "is not the state of a peer on branch 'main'" HEAD:refs/remotes/mx2/other
	push_refused "may not write 'refs/heads/main'\|branch is currently checked out" +HEAD~1:refs/heads/main
	push_refused 'may not be written' HEAD:refs/heads/evil
	push_refused 'may not be written' +HEAD:refs/heads/kept
	push_refused 'hidden ref' HEAD:refs/tags/evil
	push_refused 'hidden ref' HEAD:refs/notes/commits
	push_refused 'hidden ref' HEAD:refs/maildir/name/evil
	push_refused 'hidden ref' HEAD:refs/stash
	push_refused 'funny refname\|hidden ref' HEAD:refs/evil
	push_refused 'rejected\|hidden ref\|invalid\|not a full refname' HEAD:HEAD
	push_refused 'delet' :refs/remotes/mx2/main
	push_refused 'may not write' :refs/remotes/mx4/main
	push_refused 'delet' :refs/heads/kept
	push_refused 'delet\|hidden ref' :refs/tags/kept
	push_refused 'delet\|prohibited\|checked out' :refs/heads/main
	push_refused 'delet\|hidden ref\|may not' --mirror
	push_refused 'does not support push options' --push-option=x HEAD:refs/remotes/mx2/main
	git -C h1/mx1 config --unset remote.mx4.url
	git -C h1/mx1 update-ref -d refs/remotes/mx4/main
	git -C h1/mx1 tag -d kept
	git -C h1/mx1 branch -D kept
}
t 'a key writes no reference but its own member'\''s state, and deletes none' other_refs

# What git's own client would not send: python speaks the protocol.
evil_names() {
	head=$(git -C h2/mx2 rev-parse HEAD)
	git -C h1/mx1 for-each-ref >refs.before
	for ref in refs/remotes/mx2/../../heads/main refs/remotes/mx2/../mx4/main ../../evil refs/remotes/mx2/main.lock "refs/remotes/mx2/main
refs/heads/evil" 'refs/remotes/mx2/$(id)' refs//heads/main /refs/heads/main refs/remotes/mx2 config HEAD; do
		python3 - "$head" "$ref" >request <<-'EOT'
			import subprocess, sys
			line = (f"{'0' * 40} {sys.argv[1]} {sys.argv[2]}\0 report-status").encode()
			pack = subprocess.run(["git", "-C", "h2/mx2", "pack-objects", "--stdout", "-q"], input=b"", capture_output=True, check=True).stdout
			sys.stdout.buffer.write(b"%04x" % (len(line) + 4) + line + b"0000" + pack)
		EOT
		timeout 30 $(ssh_with mx2) -p "$port" 127.0.0.1 "git-receive-pack 'mx1.git'" <request >said 2>&1 || :
		tr -d '\0' <said | grep -a -q '^[0-9a-f]\{4\}ok ' && { tr -d '\0' <said; echo "taken: $ref"; return 1; }
	done
	# And a deletion of what is not hidden.
	python3 - "$(git -C h1/mx1 rev-parse refs/remotes/mx2/main)" >request <<-'EOT'
		import sys
		line = (f"{sys.argv[1]} {'0' * 40} refs/remotes/mx2/main\0 report-status delete-refs").encode()
		sys.stdout.buffer.write(b"%04x" % (len(line) + 4) + line + b"0000")
	EOT
	timeout 30 $(ssh_with mx2) -p "$port" 127.0.0.1 "git-receive-pack 'mx1.git'" <request >said 2>&1 || :
	tr -d '\0' <said | grep -a -q 'ng refs/remotes/mx2/main'
	git -C h1/mx1 for-each-ref >refs.after
	diff refs.before refs.after
	[ -z "$(find h1/mx1.git -name 'evil*' -o -name '*.lock')" ]
}
t 'a reference with an evil name is not written' evil_names

no_hook() {
	mv h1/mx1.git/hooks/update update
	refused mx2 "is not a member's repository" "git-receive-pack 'mx1.git'"
	echo '#!/bin/sh' >h1/mx1.git/hooks/update
	chmod +x h1/mx1.git/hooks/update
	refused mx2 "is not a member's repository" "git-receive-pack 'mx1.git'"
	mv update h1/mx1.git/hooks/update
	chmod -x h1/mx1.git/hooks/update
	refused mx2 "is not a member's repository" "git-receive-pack 'mx1.git'"
	chmod +x h1/mx1.git/hooks/update
	# Where git would look for it: another directory, which has none.
	mkdir hooks
	git -C h1/mx1 config core.hooksPath "$TRASH/hooks"
	refused mx2 "is not a member's repository" "git-receive-pack 'mx1.git'"
	git -C h1/mx1 config core.hooksPath hooks
	refused mx2 "is not a member's repository" "git-receive-pack 'mx1.git'"
	git -C h1/mx1 config --unset core.hooksPath
	mkmsg h2/mx2 new 1700000300.M1P1.mx2 'Afterwards'
	git -C h2/mx2 maildir sync
	soon test -e h1/mx1/new/1700000300.M1P1.mx2
	settle
}
t 'nothing is let in where the hook that guards the references is missing or is not ours' no_hook

# shell VARIABLE=VALUE... -- ARG...: the program itself, as sshd starts it.
shell() {
	env -i "PATH=$PATH" "HOME=$TRASH/h1" "$@"
}

by_hand() {
	status_is 129 shell git-maildir-shell 2>err
	grep -q '^usage: git-maildir-shell' err
	status_is 129 shell git-maildir-shell --shell mx2 2>err
	status_is 129 shell git-maildir-shell mx2 mx3 2>err
	status_is 0 shell git-maildir-shell -h >out
	for name in '' . ../x 'a b' a/b '$(id)' a.lock; do
		status_is 128 shell "SSH_ORIGINAL_COMMAND=git-upload-pack 'mx1.git'" git-maildir-shell -- "$name" 2>err
		grep -q "cannot be a peer's name" err
		[ "$(wc -l <err)" = 1 ]
	done
	status_is 128 shell "SSH_ORIGINAL_COMMAND=git-upload-pack 'mx1.git'" git-maildir-shell --root=h1 mx2 2>err
	grep -q 'absolute' err
	status_is 128 shell "SSH_ORIGINAL_COMMAND=git-upload-pack 'mx1.git'" git-maildir-shell --root="$TRASH/none" mx2 2>err
	status_is 128 env -i "PATH=$PATH" "SSH_ORIGINAL_COMMAND=git-upload-pack 'mx1.git'" git-maildir-shell mx2 2>err
}
t 'a mistake in authorized_keys is told in one line' by_hand

# A client that sshd takes variables from changes nothing by them.
environment() {
	printf '#!/bin/sh\ntouch "%s/evil"\n' "$TRASH" >evil.sh
	chmod +x evil.sh
	mkdir evil-hooks
	shell SSH_ORIGINAL_COMMAND="git-receive-pack 'mx1.git'" GIT_DIR="$TRASH/outside.git" GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0="$TRASH/evil-hooks" \
		GIT_CONFIG_PARAMETERS="'core.hookspath=$TRASH/evil-hooks'" GIT_EXEC_PATH="$TRASH" GIT_NAMESPACE=x GIT_TRACE="$TRASH/evil" GIT_MAILDIR_PEER=mx4 GIT_PROTOCOL='version=1;x' \
		GIT_ALTERNATE_OBJECT_DIRECTORIES="$TRASH/outside.git/objects" git-maildir-shell mx2 </dev/null >said 2>&1 || :
	tr -d '\0' <said | grep -a -q "$(git -C h1/mx1 rev-parse HEAD) refs/heads/main"
	not grep -a -q version said
	[ ! -e evil ]
	# An empty element of PATH is the current directory.
	shell SSH_ORIGINAL_COMMAND="git-upload-pack 'mx1.git'" PATH=":$PATH" "$BUILD/git-maildir-shell" mx2 </dev/null >said 2>&1 || :
	tr -d '\0' <said | grep -a -q refs/heads/main
	shell SSH_ORIGINAL_COMMAND="git-upload-pack 'mx1.git'" PATH= "$BUILD/git-maildir-shell" mx2 </dev/null >said 2>&1 || :
	tr -d '\0' <said | grep -a -q refs/heads/main
	# The protocol's version is let through.
	shell SSH_ORIGINAL_COMMAND="git-upload-pack 'mx1.git'" GIT_PROTOCOL=version=2 git-maildir-shell mx2 </dev/null >said 2>&1 || :
	tr -d '\0' <said | grep -a -q 'version 2'
}
t 'the environment that comes with a login changes nothing' environment

# /dev/log of a mount namespace of its own, where python listens.
log_lines() {
	mkdir dev
	cp /dev/null dev/null 2>/dev/null || : >dev/null
	python3 - >logged <<-'EOT' &
		import socket
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind("dev/log")
		s.settimeout(60)
		for _ in range(4):
		    print(ascii(s.recv(8192).decode("latin-1")), flush=True)
	EOT
	listener=$!
	soon test -S dev/log
	cat >inside <<-'EOT'
		mount --bind dev /dev || exit 1
		export SSH_CONNECTION='192.0.2.7 4711 192.0.2.1 22'
		SSH_ORIGINAL_COMMAND=$(printf 'id; \033[2J\nJan 1 mx1 sshd: Accepted key') git-maildir-shell mx2
		SSH_ORIGINAL_COMMAND="git-upload-pack '../outside.git'" git-maildir-shell mx2
		git-maildir-shell mx2
		SSH_ORIGINAL_COMMAND="git-upload-pack 'mx1.git'" git-maildir-shell 'x y'
		true
	EOT
	HOME="$TRASH/h1" unshare -m sh inside 2>err
	cat err
	wait "$listener"
	cat logged
	[ "$(wc -l <logged)" = 4 ]
	# Facility authpriv (10), priority warning (4).
	[ "$(grep -c "^[\"']<84>.*git-maildir-shell\[[0-9]*\]: peer 'mx2' from 192.0.2.7 refused: " logged)" = 3 ]
	grep -q "only git's fetch and push are allowed: id; \\\\\\\\x1b\[2J\\\\\\\\x0aJan 1" logged
	grep -q "outside.git' is not below '.*': git-upload-pack" logged
	grep -q '(a login)' logged
}
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	t 'what is refused is in the log of the host, in one line, with the peer, its address and its command' log_lines
else
	skip 'what is refused is in the log of the host, in one line, with the peer, its address and its command' 'not root'
fi

still() {
	mkmsg h2/mx2 new 1700000400.M1P1.mx2 'The last'
	git -C h2/mx2 maildir sync
	git -C h1/mx1 maildir sync
	settle
	git -C h2/mx2 maildir sync
	settle
	same_mail h1/mx1 h2/mx2
	same_head h1/mx1 h2/mx2
	clean h1/mx1 h2/mx2
}
t 'after all of it the two members are equal and whole' still

done_testing
