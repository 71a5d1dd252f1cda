#!/bin/sh
#
# watch-kill.t -- git maildir watch: killed anywhere while mail flows on two members, and started again, it misses nothing.
# ROUNDS (default 20): how often each of them is killed.
. ./tests/lib.sh
. "$TOP/tests/watch.sh"

WORK=$TOP/tests/watchwork.py
rounds=${ROUNDS:-20}

pair a b >"$HOME/setup" 2>&1 || { cat "$HOME/setup"; echo 'Bail out! no members'; exit 1; }

# hunt M: kills the watch of M at random moments, and starts it again, while there is mail to come.
hunt() {
	round=0
	while [ "$round" -lt "$rounds" ]; do
		watch "$1" "$TRASH/$1"
		sleep "0.$(awk -v seed="$round$2" 'BEGIN { srand(seed); printf "%03d", rand() * 700 + 20 }')"
		kill -KILL "$(pid_of "$1")"
		within [ -s "$HOME/$1.status" ]
		[ "$(cat "$HOME/$1.status")" = 137 ] || { log_of "$1"; return 1; }
		round=$((round + 1))
	done
	touch "$1.hunted"
	watch "$1" "$TRASH/$1"
}
# flows M: mail comes until both hunts are over.
flows() {
	bursts=0
	until [ -f a.hunted ] && [ -f b.hunted ] || [ "$bursts" = 60 ]; do
		bursts=$((bursts + 1))
		python3 "$WORK" flow "$TRASH/$1" "$1$2" 2 0.03
	done
}
killed() {
	flows a 1 >a.list &
	flow_a=$!
	flows b 1 >b.list &
	flow_b=$!
	hunt a a >a.hunt 2>&1 &
	hunt_a=$!
	hunt b b >b.hunt 2>&1 &
	hunt_b=$!
	wait "$hunt_a" || { cat a.hunt; return 1; }
	wait "$hunt_b" || { cat b.hunt; return 1; }
	wait "$flow_a" "$flow_b"
	within equal a b
	[ "$(cat a.list b.list | wc -l)" -gt 100 ]
	cat a.list b.list >list
	none_missing list a b
	unwatch a
	unwatch b
	settle
	clean a b
	for m in a b; do git -C "$m" maildir verify; done
}
t "watches that are killed $rounds times each while mail comes, is read, and is moved on both sides: nothing is missed" killed

done_testing
