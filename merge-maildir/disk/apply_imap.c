/*
 * apply_imap.c -- UIDs and keywords of a folder on their way from what was recorded to what is to be reached, beside
 * a server that goes on with both.
 *
 * All of it under the folder's lock, and in this order: dovecot-keywords, dovecot-uidlist, then the messages. A
 * server that looks in between, after a kill, finds keywords that nothing has yet, which do no harm, and lines of the
 * list without a message, which it drops; the next UID stays, so no UID is given out twice, and the next record and
 * merge go on from there. The other way round it would find messages that it gives UIDs of its own, and letters for
 * which it makes up names. Dovecot's reasons for the rest are in uidlist.h and live.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "../core/path.h"
#include "apply_step.h"
#include "live.h"

static int ask(struct apply *a, const char *folder, enum path_class class, bool before, struct bytes *out,
	       struct err *err)
{
	int rc = a->ops->imap(a->ops->ctx, folder, class, before, out, err);

	return rc == ERR_NOTFOUND ? 0 : rc;
}

static bool same(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->buf, b->buf, a->len));
}

/* Whether the two stores have different keywords for the folder; whole: whether the one that is to be reached has any. */
static int compare_keywords(struct apply *a, const char *folder, bool whole, bool *differ, struct err *err)
{
	struct bytes before = { 0 }, target = { 0 };
	int rc = ask(a, folder, PATH_KEYWORDS, true, &before, err);

	if (!rc)
		rc = ask(a, folder, PATH_KEYWORDS, false, &target, err);
	*differ = !rc && target.len > 0 && (whole || !same(&before, &target));
	bytes_release(&before);
	bytes_release(&target);
	return rc;
}

int apply_imap_begin(struct apply_imap *m, struct apply *a, const char *folder, bool whole, struct err *err)
{
	int rc;

	memset(m, 0, sizeof(*m));
	if (!a->ops->imap)
		return 0;
	rc = compare_keywords(a, folder, whole, &m->keywords, err);
	/* A folder that is made has nothing of what was recorded. */
	if (!rc && !whole)
		rc = ask(a, folder, PATH_UIDLIST, true, &m->before_text, err);
	if (!rc)
		rc = ask(a, folder, PATH_UIDLIST, false, &m->target_text, err);
	if (rc)
		return rc;
	m->uids = m->target_text.len > 0 && !same(&m->before_text, &m->target_text);
	if (!m->uids)
		return 0;
	uidlist_parse(&m->before, m->before_text.buf, m->before_text.len);
	uidlist_parse(&m->target, m->target_text.buf, m->target_text.len);
	/* Their indexes are made now, and not under the lock. */
	uidlist_find(&m->before, "", 0);
	uidlist_find(&m->target, "", 0);
	return 0;
}

void apply_imap_end(struct apply_imap *m)
{
	uidlist_release(&m->before);
	uidlist_release(&m->target);
	bytes_release(&m->before_text);
	bytes_release(&m->target_text);
}

static int moved(const char *folder, struct err *err)
{
	char shown[256];

	return err_set(err, ERR_AGAIN, "UIDs were given out in folder '%s' meanwhile: what is there must be merged first",
		       path_show(shown, sizeof(shown), folder));
}

/* What the live list becomes; live and out are set, and borrow from text. */
static int advance(struct apply *a, struct apply_folder *f, struct apply_imap *m, uint32_t bound, struct bytes *text,
		   struct uidlist *live, struct uidlist *out, enum uidlist_advance *how, struct err *err)
{
	bool settled = false;
	int rc = live_read(f->fd, f->path, UIDLIST_NAME, text, NULL, err);

	if (rc && rc != ERR_NOTFOUND)
		return rc;
	uidlist_parse(live, text->buf, text->len);
	if (live->trouble & UIDLIST_FOREIGN) {
		if (!m->foreign && a->ops->note)
			a->ops->note(a->ops->ctx, f->path, "has a dovecot-uidlist of an unknown kind: it is left alone");
		m->foreign = true;
		return 0;
	}
	*how = uidlist_advance(out, live, &m->before, &m->target, bound, a->settle, &settled);
	m->settled |= settled;
	return *how == UIDLIST_MOVED ? moved(f->path, err) : 0;
}

int apply_imap_look(struct apply *a, struct apply_folder *f, struct apply_imap *m, struct err *err)
{
	enum uidlist_advance how = UIDLIST_SAME;
	struct uidlist live = { 0 }, out = { 0 };
	struct bytes text = { 0 };
	int rc = m->uids ? advance(a, f, m, UINT32_MAX, &text, &live, &out, &how, err) : 0;

	uidlist_release(&out);
	uidlist_release(&live);
	bytes_release(&text);
	return rc;
}

int apply_imap_commit(struct apply *a, struct apply_folder *f, struct apply_imap *m, uint32_t bound, struct err *err)
{
	enum uidlist_advance how = UIDLIST_SAME;
	struct uidlist live = { 0 }, out = { 0 };
	struct bytes text = { 0 };
	int rc = 0;

	if (m->uids)
		rc = advance(a, f, m, bound, &text, &live, &out, &how, err);
	if (!rc && f->letters.grew) {
		rc = apply_letters_write(a, f, err);
		m->changed = true;
	}
	if (!rc && how == UIDLIST_CHANGED) {
		live_wake(f->fd);
		rc = live_write_uidlist(a->d, f->fd, f->path, &out, err);
		m->changed = true;
	}
	/* The folder was removed under our hands. */
	if (rc == ERR_NOTFOUND)
		rc = ERR_AGAIN;
	uidlist_release(&out);
	uidlist_release(&live);
	bytes_release(&text);
	return rc;
}

int apply_imap_outcome(const struct apply_imap *m)
{
	if (m->settled || m->foreign)
		return APPLY_DIFFERS;
	return m->changed ? APPLY_DONE : APPLY_ALREADY;
}
