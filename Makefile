# git-maildir: redundant mail servers on stock git.
# Plain make: all check install uninstall clean lint check-asan bench demo. CC, CFLAGS, PREFIX and DESTDIR are yours to set;
# O=<dir> builds elsewhere than in build/.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/git-maildir
UNITDIR ?= $(PREFIX)/lib/systemd/system
O ?= build
CC ?= cc
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config

S = merge-maildir
PKGS = libgit2 zlib libgcrypt
WARN = -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
ALL_CFLAGS := $(WARN) -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(CFLAGS)
ALL_LDLIBS := $(shell $(PKG_CONFIG) --libs $(PKGS)) -pthread $(LDLIBS)

# The layers, lowest first. Which may include which: tests/layers.t.
LAYERS = core disk repo
CORE = $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/core/*.c))
DISK = $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/disk/*.c))
REPO = $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/repo/*.c))
CMD = $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/cmd/*.c)) $(O)/cmd/hooks_data.o
WATCH = $(patsubst $(S)/%.c,$(O)/%.o,$(wildcard $(S)/watch/*.c))
WATCH_UNIT = $(patsubst %,$(O)/unit/test_%,pace journal notify ward)
UNIT = $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))

# Programs that are started for every message, or by strangers: without libgit2, whose start takes longer than a delivery.
TOOLS = $(patsubst $(S)/tools/%.c,%,$(wildcard $(S)/tools/git-maildir-*.c))
TOOL_PARTS = $(patsubst $(S)/%.c,$(O)/%.o,$(filter-out $(S)/tools/git-maildir-%,$(wildcard $(S)/tools/*.c)))

# One program; git calls it by three names.
PROGRAMS = $(O)/git-maildir $(O)/git-merge-maildir $(O)/merge-maildir $(O)/git-maildir-watch $(TOOLS:%=$(O)/%)

all: $(PROGRAMS)

$(O)/git-maildir: $(CMD) $(O)/repo.a $(O)/disk.a $(O)/core.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)
$(O)/git-merge-maildir $(O)/merge-maildir: $(O)/git-maildir
	ln -sf git-maildir $@

# The daemon is a program of its own: what it needs besides would make every command start later.
$(O)/git-maildir-watch: $(WATCH) $(filter-out $(O)/cmd/main.o,$(CMD)) $(O)/repo.a $(O)/disk.a $(O)/core.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS) -linotifytools
$(TOOLS:%=$(O)/%): $(O)/%: $(O)/tools/%.o $(O)/tools.a $(O)/repo.a $(O)/disk.a $(O)/core.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^

$(O)/core.a: $(CORE)
$(O)/disk.a: $(DISK)
$(O)/repo.a: $(REPO)
$(O)/tools.a: $(TOOL_PARTS)
$(O)/watch.a: $(filter-out $(O)/watch/main.o $(O)/watch/plan.o $(O)/watch/job.o $(O)/watch/duty.o,$(WATCH))
$(O)/core.a $(O)/disk.a $(O)/repo.a $(O)/watch.a $(O)/tools.a:
	rm -f $@
	$(AR) rcs $@ $^

$(O)/%.o: $(S)/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests link only the layers below what they test, which is a test of its own.
$(O)/unit/test_%: tests/unit/test_%.c $(O)/repo.a $(O)/disk.a $(O)/core.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I$(S) -MMD -MP $(LDFLAGS) -o $@ $< $(O)/repo.a $(O)/disk.a $(O)/core.a $(ALL_LDLIBS) -lcmocka

# Of the watch, that is what needs nothing of the commands.
$(WATCH_UNIT): $(O)/unit/test_%: tests/unit/test_%.c $(O)/watch.a $(O)/repo.a $(O)/core.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I$(S) -MMD -MP $(LDFLAGS) -o $@ $< $(O)/watch.a $(O)/repo.a $(O)/core.a $(ALL_LDLIBS) -linotifytools -lcmocka

unit-programs: $(UNIT)
unit: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

# The hooks are carried inside the program, so that init can write them wherever it runs.
HOOKS = post-commit post-receive update push-to-checkout post-merge post-checkout

$(O)/cmd/hooks_data.o: $(O)/cmd/hooks_data.c
	$(CC) $(ALL_CFLAGS) -I$(S)/cmd -MMD -MP -c -o $@ $<
$(O)/cmd/hooks_data.c: $(HOOKS:%=hooks/%)
	@mkdir -p $(@D)
	@{ echo '#include <stddef.h>'; echo '#include "hooks_data.h"'; \
	echo 'const struct hook_file hooks_data[] = {'; \
	for h in $(HOOKS); do printf '{ "%s",\n' "$$h"; \
		sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e 's/^/"/' -e 's/$$/\\n"/' "hooks/$$h" || exit 1; \
		echo '},'; done; \
	echo '{ NULL, NULL } };'; } >$@.tmp
	@mv $@.tmp $@

UNITS = git-maildir-watch@.service git-maildir-prune@.service git-maildir-prune@.timer

# Copied aside and renamed: a running program is never written to.
install: all
	mkdir -p '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man7' '$(DESTDIR)$(DATADIR)/hooks'
	for p in git-maildir git-maildir-watch $(TOOLS); do \
		install -m 755 $(O)/$$p '$(DESTDIR)$(BINDIR)'/$$p.new && \
		mv -f '$(DESTDIR)$(BINDIR)'/$$p.new '$(DESTDIR)$(BINDIR)'/$$p || exit 1; done
	ln -sf git-maildir '$(DESTDIR)$(BINDIR)/git-merge-maildir'
	ln -sf git-maildir '$(DESTDIR)$(BINDIR)/merge-maildir'
	install -m 644 man/*.1 '$(DESTDIR)$(MANDIR)/man1'
	install -m 644 man/*.7 '$(DESTDIR)$(MANDIR)/man7'
	install -m 755 $(HOOKS:%=hooks/%) '$(DESTDIR)$(DATADIR)/hooks'
	install -m 644 scripts/dovecot-git-maildir.conf '$(DESTDIR)$(DATADIR)'
	mkdir -p '$(DESTDIR)$(UNITDIR)'
	for u in $(UNITS); do sed 's|@BINDIR@|$(BINDIR)|g' scripts/$$u >'$(DESTDIR)$(UNITDIR)'/$$u || exit 1; done
	sed 's|@BINDIR@|$(BINDIR)|g' scripts/git-maildir.crontab >'$(DESTDIR)$(DATADIR)/git-maildir.crontab'

uninstall:
	for p in git-maildir git-merge-maildir merge-maildir git-maildir-watch $(TOOLS); do rm -f '$(DESTDIR)$(BINDIR)'/$$p; done
	for m in man/*.1; do rm -f '$(DESTDIR)$(MANDIR)/man1'/$${m##*/}; done
	for m in man/*.7; do rm -f '$(DESTDIR)$(MANDIR)/man7'/$${m##*/}; done
	for u in $(UNITS); do rm -f '$(DESTDIR)$(UNITDIR)'/$$u; done
	rm -rf '$(DESTDIR)$(DATADIR)'

# What looks at the sources without running them. SHELL_FILES: by their first line, so that none is forgotten.
SHELL_FILES = $(shell grep -lE '^\#!.*/(env )?(ba|da)?sh$$' .ci/* hooks/* scripts/* tests/* tests/*/* 2>/dev/null)
C_FILES = $(wildcard $(S)/*/*.c tests/*/*.c)

lint:
	cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -I$(S) $(C_FILES)
	shellcheck $(SHELL_FILES) $(wildcard tests/*.sh)
	@echo 'mandoc -Tlint -Wstyle man/*'; mandoc -Tlint -Wstyle man/*.[17] 2>/dev/null | \
	awk '!/referenced manual not found/ { print; bad = 1 } END { exit bad }'
	for cc in gcc clang; do $$cc $(ALL_CFLAGS) -Wformat=2 -Wno-format-nonliteral -Wundef -Wwrite-strings -Werror -fsyntax-only -I$(S) $(C_FILES) || exit 1; done

check:
	O='$(O)' scripts/check

# The unit tests once more, where every read and write of memory is watched.
SANITIZE = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
check-asan:
	O='$(O)' scripts/check asan
asan-programs:
	$(MAKE) O='$(O)/asan' CFLAGS='$(SANITIZE)' unit-programs

demo: all
	scripts/demo
bench: all
	scripts/bench

clean:
	rm -rf $(O)

-include $(wildcard $(O)/*/*.d $(O)/*/*/*.d)
.PHONY: all unit unit-programs check install uninstall clean lint check-asan asan-programs bench demo
