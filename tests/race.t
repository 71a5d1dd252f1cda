#!/bin/sh
#
# race.t -- records and syncs beside others who change the Maildir at the same time and know no lock: nothing is lost and nothing doubled.
. ./tests/lib.sh

command -v python3 >/dev/null || skip_all 'needs python3'
MESSAGES=5000 RECORDS=${RECORDS:-100}

# A folder of so many messages, half of them seen.
python3 - "$MESSAGES" <<'END'
import os
import sys
for sub in ("cur", "new", "tmp"):
    os.makedirs("proto/" + sub)
for n in range(int(sys.argv[1])):
    name = f"proto/cur/{1600000000 + n}.M{n}P1.host:2," + "S" * (n % 2)
    with open(name, "w") as f:
        f.write(f"Subject: {n}\n\n{n}\n")
    os.utime(name, (1600000000 + n, 1600000000 + n))
END

# race_in DIR FOLDERS COMMAND...: so many records while the command works; it is killed then. No key may be in more folders.
race_in() {
	dir=$1 folders=$2
	shift 2
	python3 "$TOP/tests/renamer.py" "$@" &
	racer=$!
	trap 'kill $racer 2>/dev/null' EXIT
	n=0
	while [ "$n" -lt "$RECORDS" ]; do
		n=$((n + 1))
		git -C "$dir" maildir record --no-push >>records 2>&1 || { echo "record $n: status $?"; tail -n 3 records; return 1; }
	done
	kill "$racer"
	wait "$racer" || :
	trap - EXIT
	python3 "$TOP/tests/everycommit.py" "$dir" "$MESSAGES" "$folders"
}
# Without disturbance one record is enough to be at rest.
at_rest() {
	git -C "$1" maildir record --no-push
	clean "$1"
	git -C "$1" maildir record --no-push >again
	[ ! -s again ]
	python3 "$TOP/tests/everycommit.py" "$1" "$MESSAGES" "${2:-1}" 1
}
no_deletion_was_committed() {
	git -C "$1" log --format=%B >diary
	if grep -E 'deleted|added|delivered' diary | grep -v 'First record'; then return 1; fi
}

cp -a proto flags
member flags >/dev/null
t "$RECORDS records beside a process that renames: no commit lacks a message or has one twice" \
	race_in flags 1 flags "$TRASH/flags"
t 'then one record in quiet leaves git nothing to say' at_rest flags
t 'and no log entry tells of a deletion' no_deletion_was_committed flags

cp -a proto move
member move >/dev/null
RECORDS=$((RECORDS / 5))
t "$RECORDS records beside a process that moves from new to cur and back" race_in move 1 move "$TRASH/move"
t 'then one record in quiet leaves git nothing to say, too' at_rest move
t 'and its log tells of no deletion' no_deletion_was_committed move

# Of a message that is moved while one folder is read and the other not yet, both places are seen. None may be seen nowhere.
cp -a proto carry
mkmaildir carry/.Work
member carry >/dev/null
t "$RECORDS records beside a process that moves between two folders: no commit lacks a message" \
	race_in carry 2 carry "$TRASH/carry" "$TRASH/carry/.Work"
t 'then one record in quiet leaves git nothing to say, once more' at_rest carry 2

# Deliveries on both members of a pair while both sync, with all that pushes start in the background.
deliver_and_sync() {
	python3 "$TOP/tests/renamer.py" deliver "$TRASH/a" A 5 >keys.a &
	one=$!
	python3 "$TOP/tests/renamer.py" deliver "$TRASH/b" B 5 >keys.b &
	two=$!
	rounds=0
	while kill -0 "$one" 2>/dev/null || kill -0 "$two" 2>/dev/null; do
		git -C a maildir sync >>syncs 2>&1 || { echo "sync of a: status $?"; tail -n 3 syncs; return 1; }
		git -C b maildir sync >>syncs 2>&1 || { echo "sync of b: status $?"; tail -n 3 syncs; return 1; }
		rounds=$((rounds + 1))
	done
	wait "$one"
	wait "$two"
	echo "$rounds rounds"
	[ "$rounds" -ge 2 ]
}
pair a b >/dev/null
t 'deliveries on both members while both sync' deliver_and_sync

# quiet A B: syncs both until they agree and nothing is left to do.
agree() {
	git -C a maildir sync >/dev/null && git -C b maildir sync >/dev/null && same_head a b && clean a b
}
all_arrived() {
	soon agree
	same_mail a b
	sort keys.a keys.b >wanted
	[ "$(wc -l <wanted)" -gt 200 ]
	find a -path '*/new/*' -o -path '*/cur/*' | sed 's|.*/||; s|:.*||' | grep -E '\.[AB]P[0-9]+\.host$' | sort >there
	diff wanted there
}
t 'every message is there once on both' all_arrived

done_testing
