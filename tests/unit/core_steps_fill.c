/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <string.h>
#include "core_steps_fill.h"
#include <tessera/seal.h>

#define REMEMBERED 32u

static struct tsr_token tokens[REMEMBERED];
static struct tsr_token_issue issued[REMEMBERED];
static uint32_t issuers[REMEMBERED];
static unsigned nr_issued;

void fill_start(void)
{
	memset(tokens, 0, sizeof(tokens));
	nr_issued = 0;
}

uint64_t any_pfn(struct steps *s)
{
	uint8_t what = byte(s) % 16;

	if (what < 2)
		return what ? below(s, MACHINE_FRAMES + 2) : UINT64_MAX - below(s, 4);
	return FAKE_HV_FIRST + FAKE_HV_PAGES + below(s, 320);
}

uint64_t any_gfn(struct steps *s)
{
	return one_in(s, 32) ? UINT64_MAX : below(s, 40);
}

static uint32_t any_count(struct steps *s)
{
	return one_in(s, 32) ? (uint32_t)below(s, 65536) * 65537u : 1 + (uint32_t)below(s, 16);
}

/* Mostly one that is alive; the place where it is remembered. */
static unsigned any_issued(struct steps *s)
{
	unsigned start = (unsigned)below(s, REMEMBERED);

	for (unsigned i = 0; i < REMEMBERED && !one_in(s, 16); i++)
		if (grant_find(&tokens[(start + i) % REMEMBERED]))
			return (start + i) % REMEMBERED;
	return start;
}

static struct tsr_token any_token(struct steps *s)
{
	struct tsr_token t = tokens[any_issued(s)];

	t.random ^= one_in(s, 32) ? 1ull << below(s, 64) : 0;
	return t;
}

void fill_create(struct steps *s, struct tsr_guest_create *c)
{
	c->mem_pages = 4 + below(s, 24);
	c->vcpus = 1 + one_in(s, 32);
	c->flags = byte(s) % 2;
	c->device[0].type = TSR_DEVICE_BLOCK;
	c->device[0].suite = TSR_SUITE_AES_256_GCM;
	c->device[0].label[0] = 'a';
}

bool belongs(uint64_t m, uint32_t owner)
{
	const struct frame *f = frame_of(mfn(m));

	/* Table pages come last. */
	if (owner != DOMAIN_HOST && domain_by_id(owner)->ram_pages && f->state == FRAME_TABLE)
		return false;
	return f->owner == owner && (owner != DOMAIN_HOST || f->state == FRAME_OWNED);
}

/* Mostly a run that belongs to whom the call takes it from, or few guests would ever be whole, and fewer would go. */
static void some_run(struct steps *s, struct tsr_donate *el, uint32_t owner)
{
	uint64_t m = any_pfn(s);

	el->host_pfn = m;
	el->count = any_count(s);
	if (one_in(s, 8) || m >= MACHINE_FRAMES)
		return;
	while (m < MACHINE_FRAMES && !belongs(m, owner))
		m++;
	el->host_pfn = m;
	for (uint32_t n = 0; n < el->count && n < 32; n++)
		if (m + n >= MACHINE_FRAMES || !belongs(m + n, owner))
			el->count = n;
}

static void fill_donate(struct steps *s, struct tsr_donate *el, const struct domain *d, bool take)
{
	some_run(s, el, take ? d->id : DOMAIN_HOST);
	if (take)
		return;
	el->flags = one_in(s, 3) ? TSR_DONATE_TABLES : 0;
	el->gfn = el->flags ? 0 : one_in(s, 8) ? any_gfn(s) : d->donated_next;
	if (!el->flags && el->gfn < d->mem_pages && el->count > d->mem_pages - el->gfn && !one_in(s, 8))
		el->count = (uint32_t)(d->mem_pages - el->gfn);
}

static void fill_issue(struct steps *s, struct tsr_token_issue *el)
{
	*el = (struct tsr_token_issue){ .gfn = any_gfn(s), .pages = 1 + byte(s) % 3, .dir = 1 + byte(s) % 3,
					.session = 1 + byte(s) % 2, .device = one_in(s, 16), .how = byte(s) % 4 % 3 };
	if (el->how == TSR_HOW_COPY && one_in(s, 2) && (el->offset = (uint32_t)below(s, TSR_PAGE_SIZE)) % 2)
		el->bytes = el->pages * TSR_PAGE_SIZE - el->offset - (uint32_t)below(s, TSR_PAGE_SIZE);
}

static void fill_copy(struct steps *s, struct tsr_token_copy *el, bool host)
{
	unsigned i = any_issued(s);

	for (unsigned k = 0; k < 8 && issued[i].how != TSR_HOW_COPY; k++)
		i = any_issued(s);
	*el = (struct tsr_token_copy){
		.token = tokens[i], .offset = (uint32_t)below(s, TSR_PAGE_SIZE), .length = 1 + (uint32_t)below(s, one_in(s, 2) ? 64 : TSR_PAGE_SIZE),
		.issuer = issuers[i], .session = issued[i].session, .dir = issued[i].dir == TSR_DIR_BOTH ? 1 + byte(s) % 2 : issued[i].dir,
	};
	if (host)
		el->address = any_pfn(s) * TSR_PAGE_SIZE + (one_in(s, 2) ? 0 : below(s, TSR_PAGE_SIZE));
	if (one_in(s, 16))
		((uint8_t *)el)[below(s, sizeof(*el))] ^= byte(s);
}

static void fill_map(struct steps *s, struct tsr_token_map *el)
{
	unsigned i = any_issued(s);

	*el = (struct tsr_token_map){
		.token = tokens[i], .window_pfn = any_pfn(s), .pages = issued[i].pages, .issuer = issuers[i],
		.session = issued[i].session, .device = issued[i].device, .dir = issued[i].dir,
		.how = issued[i].how,
	};
	for (unsigned k = 0; k < 64 && el->window_pfn < MACHINE_FRAMES - 1 && !one_in(s, 16); k++)
		if (frame_of(mfn(el->window_pfn))->state != FRAME_WINDOW)
			el->window_pfn++;
	if (one_in(s, 16))
		((uint8_t *)el)[below(s, sizeof(*el))] ^= byte(s);
}

void fill(struct steps *s, uint64_t nr, uint8_t *mail, unsigned n, const struct domain *about, bool host)
{
	struct tsr_donate run;

	memset(mail, 0, TSR_PAGE_SIZE);
	for (unsigned i = 0; i < n; i++) {
		switch (nr) {
		case TSR_CALL_GUEST_CREATE:
			fill_create(s, (struct tsr_guest_create *)mail);
			break;
		case TSR_CALL_GUEST_DONATE:
		case TSR_CALL_GUEST_RECLAIM:
			fill_donate(s, (struct tsr_donate *)mail + i, about, nr == TSR_CALL_GUEST_RECLAIM);
			break;
		case TSR_CALL_GUEST_LOAD:
			((struct tsr_load *)mail)[i] = (struct tsr_load){ about->loaded_next + byte(s) % 2, any_pfn(s) };
			break;
		case TSR_CALL_WINDOW_ADD:
		case TSR_CALL_WINDOW_REMOVE:
			run = (struct tsr_donate){ .host_pfn = any_pfn(s), .count = 1 };
			if (nr == TSR_CALL_WINDOW_ADD)
				some_run(s, &run, DOMAIN_HOST);
			((struct tsr_window *)mail)[i] = (struct tsr_window){ .pfn = run.host_pfn, .count = run.count };
			break;
		case TSR_CALL_TOKEN_MAP:
			fill_map(s, (struct tsr_token_map *)mail + i);
			break;
		case TSR_CALL_TOKEN_UNMAP:
		case TSR_CALL_TOKEN_REVOKE:
			((struct tsr_token_ref *)mail)[i].token = any_token(s);
			break;
		case TSR_CALL_TOKEN_ISSUE:
			fill_issue(s, (struct tsr_token_issue *)mail + i);
			break;
		case TSR_CALL_TOKEN_COPY:
			fill_copy(s, (struct tsr_token_copy *)mail + i, host);
			break;
		case TSR_CALL_TOKEN_QUERY:
			((struct tsr_token_query *)mail)->token = any_token(s);
			break;
		case TSR_CALL_CONNECT:
			*(struct tsr_connect *)mail = (struct tsr_connect){ .session = 1, .token = any_token(s) };
			break;
		case TSR_CALL_KEY_DERIVE:
			*(struct tsr_key_derive *)mail = (struct tsr_key_derive){ .label = "a", .purpose = 1 + byte(s) % 3 };
			break;
		case TSR_CALL_CONSOLE_INPUT:
		case TSR_CALL_RANDOM:
			*(uint32_t *)(void *)mail = 1 + byte(s) % 70;
			break;
		default:
			break;
		}
	}
}

void remember(const uint8_t *mail, unsigned n, uint32_t issuer)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = nr_issued++ % REMEMBERED;

		issued[k] = ((const struct tsr_token_issue *)mail)[i];
		tokens[k] = issued[k].token;
		issuers[k] = issuer;
	}
}
