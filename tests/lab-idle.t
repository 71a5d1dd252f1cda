#!/bin/sh
#
# lab-idle.t -- three mail servers: what is delivered to any of them, and what a client does there, clients on the others see at once. How long it takes is
# printed, and not judged: LAB_MESSAGES of them (default 200).
# shellcheck source=tests/lib.sh disable=SC2086,SC2119
. ./tests/lib.sh
# shellcheck source=tests/lab.sh
. "$TOP/tests/lab.sh"
need_lab
LAB_MESSAGES=${LAB_MESSAGES:-200}

three_servers() {
	lab_cluster a b c
	lab_inbox
}
t 'Three mail servers are one cluster.' three_servers

everybody_sees_it() {
	PYTHONDONTWRITEBYTECODE=1 python3 "$TOP/tests/labidle.py" "$LAB_MESSAGES" 60
}
t 'Clients in IDLE see what is delivered to another server, and the flags that clients set there.' everybody_sees_it
grep '^# ' "$HOME/out"

t 'No mail server saw anything that it warns of.' lab_logs_are_quiet

done_testing
