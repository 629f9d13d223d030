/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* Tokens that are copied through, in all three ways; the hypervisor's own pages; quotas: spec/tokens.md. */
#include "core_host.h"

static struct domain *d;
static uint64_t window, buffer;

static int setup(void **state)
{
	host_setup(state);
	d = guest_make(64);
	window = window_add(8);
	buffer = host_take(2);
	return 0;
}

static uint8_t *host_page(uint64_t pfn)
{
	return arch_frame(mfn(pfn));
}

/* Pages 8.. of the guest, each byte telling its place; the host's buffer and window hold 0xee. */
static struct tsr_token issue_how(uint32_t pages, uint8_t dir, uint8_t how, uint32_t offset, uint32_t bytes)
{
	struct tsr_token_issue el = { .gfn = 8, .pages = pages, .dir = dir, .how = how, .session = SESSION, .offset = offset, .bytes = bytes };

	for (uint32_t i = 0; i < pages * TSR_PAGE_SIZE; i++)
		guest_page(d, 8 + i / TSR_PAGE_SIZE)[i % TSR_PAGE_SIZE] = (uint8_t)(i * 7 + i / TSR_PAGE_SIZE);
	memset(host_page(buffer), 0xee, 2 * TSR_PAGE_SIZE);
	memset(host_page(window), 0xee, 8 * TSR_PAGE_SIZE);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), TSR_OK);
	return el.token;
}

static int map_how(struct tsr_token t, uint32_t pages, uint8_t dir, uint8_t how)
{
	struct tsr_token_map el = {
		.token = t, .window_pfn = window, .pages = pages, .issuer = d->id, .session = SESSION, .dir = dir, .how = how
	};

	return host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0);
}

static struct tsr_token_copy copy_el(struct tsr_token t, uint32_t offset, uint32_t length, uint8_t dir)
{
	return (struct tsr_token_copy){ .token = t, .address = buffer * TSR_PAGE_SIZE, .offset = offset, .length = length,
					.issuer = d->id, .session = SESSION, .dir = dir };
}

static int host_copy(struct tsr_token_copy el)
{
	return host_batch(TSR_CALL_TOKEN_COPY, &el, 1, 0);
}

static int guest_copy(struct tsr_token_copy el)
{
	el.address = 0;
	return guest_batch(d, TSR_CALL_TOKEN_COPY, &el, 1);
}

/* [TOK-13] [TOK-14] */
static void the_host_copies_bytes_that_a_token_names(void **state)
{
	struct tsr_token t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_COPY, 4000, 200);
	struct tsr_token_copy el = copy_el(t, 0, 200, TSR_DIR_READ);
	unsigned flushes = fake.flushes;

	(void)state;
	el.address += 3896; /* to the last byte of the page */
	assert_int_equal(host_copy(el), TSR_OK);
	assert_memory_equal(host_page(buffer) + 3896, guest_page(d, 8) + 4000, 96);
	assert_memory_equal(host_page(buffer) + 3896 + 96, guest_page(d, 9), 104);
	assert_int_equal(host_page(buffer)[3895], 0xee);
	assert_int_equal(host_page(buffer + 1)[0], 0xee);

	memset(host_page(buffer), 0x55, 200);
	assert_int_equal(host_copy(copy_el(t, 90, 10, TSR_DIR_WRITE)), TSR_OK);
	assert_int_equal(guest_page(d, 8)[4089], (uint8_t)(4089 * 7));
	assert_int_equal(guest_page(d, 8)[4090], 0x55);
	assert_int_equal(guest_page(d, 9)[3], 0x55);
	assert_int_equal(guest_page(d, 9)[4], (uint8_t)(4100 * 7 + 1));
	assert_int_equal(core_counter(TSR_COUNT_copies_host), 2);
	assert_int_equal(fake.flushes, flushes); /* nothing was mapped for it */
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(host_copy(copy_el(t, 0, 1, TSR_DIR_READ)), -TSR_E_TOKEN);
}

/* [TOK-13] [HC-12] */
static void a_copy_is_checked_against_all_that_the_token_is_bound_to(void **state)
{
	struct tsr_token t = issue_how(2, TSR_DIR_READ, TSR_HOW_COPY, 100, 4096), w;
	const struct tsr_token_copy good = copy_el(t, 0, 16, TSR_DIR_READ);
	struct tsr_token_copy el = good, two[2] = { good, good };

	(void)state;
#define REFUSED(change, error)                            \
	do {                                              \
		el = good;                                \
		change;                                   \
		assert_int_equal(host_copy(el), -(error)); \
	} while (0)
	REFUSED(el.dir = TSR_DIR_WRITE, TSR_E_BIND);
	REFUSED(el.dir = TSR_DIR_BOTH, TSR_E_ARG);
	REFUSED(el.dir = 0, TSR_E_ARG);
	REFUSED(el.length = 0, TSR_E_ARG);
	REFUSED(el.length = TSR_PAGE_SIZE + 1, TSR_E_ARG);
	REFUSED(el.offset = 4081, TSR_E_ARG);
	REFUSED(el.offset = UINT32_MAX, TSR_E_ARG);
	REFUSED(el.address += 4081, TSR_E_ARG);
	REFUSED(el.reserved0[6] = 1, TSR_E_ARG);
	REFUSED(el.reserved1[1] = 1, TSR_E_ARG);
	REFUSED(el.issuer++, TSR_E_BIND);
	REFUSED(el.session++, TSR_E_BIND);
	REFUSED(el.token.random ^= 1, TSR_E_TOKEN);
	REFUSED(el.address = UINT64_MAX - 15, TSR_E_FRAME);
	REFUSED(el.address = guest_ram(d) * TSR_PAGE_SIZE, TSR_E_FRAME);
	REFUSED(el.address = FAKE_HV_FIRST * TSR_PAGE_SIZE, TSR_E_FRAME);
	REFUSED(el.address = (uint64_t)core_host()->vcpu[0].mailbox * TSR_PAGE_SIZE, TSR_E_FRAME);
#undef REFUSED
	two[1].offset = 4096;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_COPY, two, 2, 0), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	assert_int_equal(host_page(buffer)[0], 0xee); /* nothing was done */
	assert_int_equal(token_revoke(d, t), TSR_OK);

	w = issue_how(1, TSR_DIR_WRITE, TSR_HOW_COPY, 0, 0);
	assert_int_equal(host_copy(copy_el(w, 0, 16, TSR_DIR_READ)), -TSR_E_BIND);
	assert_int_equal(host_copy(copy_el(w, 4080, 16, TSR_DIR_WRITE)), TSR_OK);
	assert_int_equal(map_how(w, 1, TSR_DIR_WRITE, TSR_HOW_MAP), -TSR_E_BIND);
	assert_int_equal(token_revoke(d, w), TSR_OK);

	t = issue_how(1, TSR_DIR_BOTH, TSR_HOW_MAP, 0, 0);
	assert_int_equal(host_copy(copy_el(t, 0, 16, TSR_DIR_READ)), -TSR_E_BIND);
}

/* [TOK-1] */
static void only_what_is_copied_can_be_less_than_whole_pages(void **state)
{
	const struct tsr_token_issue good = { .gfn = 8, .pages = 2, .dir = 1, .how = TSR_HOW_COPY, .session = 1, .offset = 4095, .bytes = 2 };
	struct tsr_token_issue el = good;

	(void)state;
	el.how = TSR_HOW_MAP;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), -TSR_E_ARG);
	el.how = TSR_HOW_EITHER;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), -TSR_E_ARG);
	el = good;
	el.offset = 4096;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), -TSR_E_ARG);
	el = good;
	el.bytes = 1; /* ends in the first page */
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), -TSR_E_ARG);
	el.bytes = 4098;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), -TSR_E_ARG);
	el.bytes = UINT32_MAX;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), -TSR_E_ARG);
	el = good;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), TSR_OK);
}

/* [TOK-15] */
static void the_issuer_copies_to_and_from_the_place_that_the_host_named(void **state)
{
	struct tsr_token t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_COPY, 0, 0);
	struct tsr_token_ref ref = { t };
	struct domain *other = guest_make(16);
	struct tsr_token_query query = { .token = t };
	unsigned flushes = fake.flushes;
	struct tsr_token_copy el;

	(void)state;
	fake_enter(1);
	assert_int_equal(guest_copy(copy_el(t, 0, 16, TSR_DIR_READ)), -TSR_E_BUSY); /* no place yet */
	assert_int_equal(map_how(t, 2, TSR_DIR_BOTH, TSR_HOW_COPY), TSR_OK);
	assert_int_equal(core_counter(TSR_COUNT_tokens_placed), 1);
	assert_int_equal(fake.flushes, flushes);
	memcpy(host_mail(), &query, sizeof(query));
	assert_int_equal(host_call(TSR_CALL_TOKEN_QUERY, 0, 0, 0), TSR_OK);
	assert_int_equal(((struct tsr_token_query *)host_mail())->info.state, TSR_TOKEN_PLACED);
	assert_int_equal(((struct tsr_token_query *)host_mail())->info.window_pfn, window);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), arch_frame(mfn(window))); /* its own page */

	assert_int_equal(guest_copy(copy_el(t, 4090, 20, TSR_DIR_READ)), TSR_OK);
	assert_memory_equal(host_page(window) + 4090, guest_page(d, 8) + 4090, 6);
	assert_memory_equal(host_page(window + 1), guest_page(d, 9), 14);
	assert_int_equal(host_page(window)[4089], 0xee);
	assert_int_equal(host_page(window + 1)[14], 0xee);
	/* In one page or in two, but never more than a page's worth. */
	assert_int_equal(guest_copy(copy_el(t, 8, TSR_PAGE_SIZE + 1, TSR_DIR_WRITE)), -TSR_E_ARG);
	assert_int_equal(guest_page(d, 8)[8], 56);
	assert_int_equal(guest_copy(copy_el(t, 0, 8, TSR_DIR_WRITE)), TSR_OK);
	assert_int_equal(guest_page(d, 8)[7], 0xee);
	assert_int_equal(guest_page(d, 8)[8], 56);
	el = copy_el(t, 0, 8, TSR_DIR_READ); /* with an address */
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_COPY, &el, 1), -TSR_E_ARG);
	el.address = 0;
	assert_int_equal(guest_batch(other, TSR_CALL_TOKEN_COPY, &el, 1), -TSR_E_TOKEN);
	assert_int_equal(core_counter(TSR_COUNT_copies_issuer), 2);

	/* The host may take its page away: the issuer is told, and nothing is copied. */
	assert_int_equal(host_batch(TSR_CALL_WINDOW_REMOVE, (&(struct tsr_window){ window + 1, 1, 0 }), 1, 0), TSR_OK);
	assert_int_equal(guest_copy(copy_el(t, 4096, 8, TSR_DIR_READ)), -TSR_E_BUSY);
	assert_int_equal(guest_copy(copy_el(t, 4000, 97, TSR_DIR_READ)), -TSR_E_BUSY);
	assert_int_equal(guest_copy(copy_el(t, 4000, 96, TSR_DIR_READ)), TSR_OK);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_UNMAP, &ref, 1, 0), TSR_OK);
	assert_int_equal(fake.flushes, flushes);
	assert_int_equal(guest_copy(copy_el(t, 0, 8, TSR_DIR_READ)), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	guest_unmake(other);
}

/* [TOK-15] Only the issuer's own TOKEN_COPY brings back what the host wrote: the rest of the pages is no part of the token. */
static void revoking_a_placed_token_copies_nothing(void **state)
{
	struct tsr_token t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_COPY, 4000, 200);

	(void)state;
	assert_int_equal(map_how(t, 2, TSR_DIR_BOTH, TSR_HOW_COPY), TSR_OK);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_PLACED);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	for (uint32_t i = 0; i < 2 * TSR_PAGE_SIZE; i++)
		assert_int_equal(guest_page(d, 8 + i / TSR_PAGE_SIZE)[i % TSR_PAGE_SIZE], (uint8_t)(i * 7 + i / TSR_PAGE_SIZE));
	assert_int_equal(core_counter(TSR_COUNT_copies_own), 0);
}

/* [TOK-16] */
static void the_hypervisor_maps_or_copies_as_devices_follow_or_not(void **state)
{
	struct tsr_token t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_EITHER, 0, 0);

	(void)state;
	assert_int_equal(host_copy(copy_el(t, 0, 1, TSR_DIR_READ)), -TSR_E_BIND);
	assert_int_equal(map_how(t, 2, TSR_DIR_BOTH, TSR_HOW_EITHER), TSR_OK);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_MAPPED);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(core_counter(TSR_COUNT_copies_own), 0);

	fake.no_iommu = true;
	t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_MAP, 0, 0); /* what is to be mapped is mapped, whatever devices do */
	assert_int_equal(map_how(t, 2, TSR_DIR_BOTH, TSR_HOW_MAP), TSR_OK);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_MAPPED);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_EITHER, 0, 0);
	fake.flushes = 0;
	assert_int_equal(map_how(t, 2, TSR_DIR_BOTH, TSR_HOW_EITHER), TSR_OK);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_PLACED);
	assert_memory_equal(host_page(window), guest_page(d, 8), TSR_PAGE_SIZE);
	assert_memory_equal(host_page(window + 1), guest_page(d, 9), TSR_PAGE_SIZE);
	assert_int_equal(host_page(window)[1], 7); /* and not the other way */
	host_page(window + 1)[5] = 0x77;
	assert_int_equal(guest_copy(copy_el(t, 0, 8, TSR_DIR_READ)), -TSR_E_BIND);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(guest_page(d, 9)[5], 0x77);
	assert_int_equal(fake.flushes, 0);
	assert_int_equal(core_counter(TSR_COUNT_copies_own), 4);

	/* The direction is exact: what the host may not write does not come back, what it may not read does not go out. */
	t = issue_how(1, TSR_DIR_READ, TSR_HOW_EITHER, 0, 0);
	assert_int_equal(map_how(t, 1, TSR_DIR_READ, TSR_HOW_EITHER), TSR_OK);
	host_page(window)[0] = 0x78;
	assert_int_equal(token_unmap(t), TSR_OK);
	assert_int_equal(guest_page(d, 8)[0], 0);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	t = issue_how(1, TSR_DIR_WRITE, TSR_HOW_EITHER, 0, 0);
	assert_int_equal(map_how(t, 1, TSR_DIR_WRITE, TSR_HOW_EITHER), TSR_OK);
	assert_int_equal(host_page(window)[1], 0xee);
	host_page(window)[0] = 0x79;
	assert_int_equal(token_unmap(t), TSR_OK);
	assert_int_equal(guest_page(d, 8)[0], 0x79);
	assert_int_equal(fake.flushes, 0);
	host_page(window)[0] = 0x7a;
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(guest_page(d, 8)[0], 0x79); /* once */
}

/* [TOK-16] [MEM-1] The host may give its place to another guest: that one's data is not brought back. */
static void what_has_become_another_guests_since_is_not_copied_back(void **state)
{
	struct tsr_token t = issue_how(2, TSR_DIR_BOTH, TSR_HOW_EITHER, 0, 0);
	struct tsr_window el = { .pfn = window + 1, .count = 1 };
	uint64_t tables = host_take(4);
	struct tsr_guest_create config;
	struct domain *other;

	(void)state;
	fake.no_iommu = true;
	assert_int_equal(map_how(t, 2, TSR_DIR_BOTH, TSR_HOW_EITHER), TSR_OK);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_REMOVE, &el, 1, 0), TSR_OK);
	guest_config(&config, 16);
	other = guest_create_with(&config);
	assert_int_equal(donate(other, tables, 0, 4, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(other, window + 1, 0, 1, 0), TSR_OK);
	memset(guest_page(other, 0), 0x99, TSR_PAGE_SIZE);
	host_page(window)[5] = 0x77;
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(guest_page(d, 8)[5], 0x77);
	for (uint32_t i = 0; i < TSR_PAGE_SIZE; i++)
		assert_int_equal(guest_page(d, 9)[i], (uint8_t)(i * 7 + 1));
	assert_int_equal(core_counter(TSR_COUNT_copies_own), 3);
}

/* [TOK-16] [HC-14] */
static void what_the_hypervisor_copies_in_one_call_is_bounded(void **state)
{
	struct domain *big = guest_make(2048);
	uint64_t place = window_add(512);
	struct tsr_token_issue el[5];
	struct tsr_token_map map[5];

	(void)state;
	fake.no_iommu = true;
	quick = true;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, (&(struct tsr_window){ host_take(512), 512, 0 }), 1, 0), TSR_OK);
	for (unsigned i = 0; i < 3; i++) {
		el[i] = (struct tsr_token_issue){ .gfn = 2 + 512 * i, .pages = 512, .dir = 3, .how = TSR_HOW_EITHER, .session = SESSION };
		map[i] = (struct tsr_token_map){ .window_pfn = place + 512 * i, .pages = 512, .issuer = big->id, .session = SESSION, .dir = 3,
						 .how = TSR_HOW_EITHER };
	}
	assert_int_equal(guest_batch(big, TSR_CALL_TOKEN_ISSUE, el, 3), TSR_OK);
	for (unsigned i = 0; i < 3; i++)
		map[i].token = el[i].token;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, map, 3, 0), -TSR_E_AGAIN);
	assert_int_equal(last_value, 2);
	assert_int_equal(core_counter(TSR_COUNT_copies_own), 1024);
	assert_int_equal(grant_find(&el[2].token)->state, TSR_TOKEN_ISSUED);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, map + 2, 1, 0), TSR_OK);
	for (unsigned i = 0; i < 3; i++)
		((struct tsr_token_ref *)mail_of(&big->vcpu[0]))[i].token = el[i].token;
	assert_int_equal(call_by(&big->vcpu[0], TSR_CALL_TOKEN_REVOKE, 3, 0, 0), -TSR_E_AGAIN);
	assert_int_equal(last_value, 2);
	assert_int_equal(token_revoke(big, el[2].token), TSR_OK);
	quick = false;
	guest_unmake(big);
}

/* [TOK-17] */
static void the_hypervisor_issues_a_page_of_its_own(void **state)
{
	struct tsr_token_issue own, again;
	struct tsr_token_map map = { .window_pfn = window, .pages = 1, .session = 1, .dir = TSR_DIR_READ };
	struct tsr_token_copy el = { .address = buffer * TSR_PAGE_SIZE, .length = TSR_PAGE_SIZE, .session = 1, .dir = TSR_DIR_READ };
	const uint64_t *shown;

	(void)state;
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, 1, 0, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, 0, 3, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, TSR_HOW_MAP, 0), TSR_OK);
	memcpy(&own, host_mail(), sizeof(own));
	assert_int_equal(own.gfn, 0);
	map.token = own.token;
	fake_enter(1);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &map, 1, 0), TSR_OK);
	assert_null(fake_host_access(1, window, PERM_W));
	shown = (const void *)fake_host_access(1, window, PERM_R);
	assert_non_null(shown);
	assert_int_equal(shown[TSR_COUNT_tokens_mapped], 1);
	core_count(TSR_COUNT_doorbells);
	assert_int_equal(shown[TSR_COUNT_doorbells], 1); /* as it runs */
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, TSR_HOW_COPY, 0), -TSR_E_BUSY);
	/* Not taken back either before every CPU has let go. */
	fake.cpu[1].refuses = true;
	assert_int_equal(token_unmap(own.token), -TSR_E_AGAIN);
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, TSR_HOW_COPY, 0), -TSR_E_AGAIN);
	assert_int_equal(grant_find(&own.token)->state, TSR_TOKEN_SPENT);
	fake.cpu[1].refuses = false;
	assert_int_equal(token_unmap(own.token), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_R), arch_frame(mfn(window)));

	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, TSR_HOW_COPY, 0), TSR_OK);
	memcpy(&again, host_mail(), sizeof(again));
	el.token = again.token;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_COPY, &el, 1, 0), TSR_OK);
	assert_int_equal(((uint64_t *)(void *)host_page(buffer))[TSR_COUNT_doorbells], 1);
	el.dir = TSR_DIR_WRITE;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_COPY, &el, 1, 0), -TSR_E_BIND);
	map.token = own.token;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &map, 1, 0), -TSR_E_TOKEN);
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, TSR_HOW_MAP, 0), TSR_OK);
	assert_int_equal(grant_live(), 1);
}

/* [TOK-18] */
static void beyond_a_limit_a_call_waits_with_nothing_lost(void **state)
{
	const struct fake_config config = { .limit = { .guests = 2, .tokens = 3, .pages = 6, .windows = 12 } };
	struct tsr_token_issue el[4];
	const struct tsr_info *info;
	struct tsr_guest_create create;
	struct domain *other;

	host_teardown(state);
	host_start(&config);
	d = guest_make(64);
	other = guest_make(64);
	window = window_add(8);
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 0), TSR_OK);
	info = host_mail();
	assert_int_equal(info->max_guests, 2);
	assert_int_equal(info->guest_tokens, 3);
	assert_int_equal(info->max_granted, 6);
	assert_int_equal(info->max_windows, 12);
	assert_int_equal(info->max_queues, 16);

	guest_config(&create, 16);
	memcpy(host_mail(), &create, sizeof(create));
	assert_int_equal(host_call(TSR_CALL_GUEST_CREATE, 0, 0, 0), -TSR_E_LIMIT);
	guest_unmake(other);
	other = guest_make(64);

	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, (&(struct tsr_window){ host_take(5), 5, 0 }), 1, 0), -TSR_E_LIMIT);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, (&(struct tsr_window){ host_take(4), 4, 0 }), 1, 0), TSR_OK);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, (&(struct tsr_window){ host_take(1), 1, 0 }), 1, 0), -TSR_E_LIMIT);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_REMOVE, (&(struct tsr_window){ window, 1, 0 }), 1, 0), TSR_OK);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, (&(struct tsr_window){ window, 1, 0 }), 1, 0), TSR_OK);

	for (unsigned i = 0; i < 4; i++)
		el[i] = (struct tsr_token_issue){ .gfn = 8 + 2 * i, .pages = 1, .dir = 3, .session = 1 };
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 4), -TSR_E_LIMIT);
	assert_int_equal(last_value, 3);
	assert_int_equal(d->tokens, 0);
	for (unsigned i = 0; i < 4; i++)
		el[i].pages = 3;
	for (unsigned i = 0; i < 4; i++)
		el[i].gfn = 8 + 4 * i;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 3), -TSR_E_LIMIT);
	assert_int_equal(last_value, 2);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 2), TSR_OK);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el + 2, 1), -TSR_E_LIMIT);
	assert_int_equal(guest_batch(other, TSR_CALL_TOKEN_ISSUE, el + 2, 1), TSR_OK); /* its share is its own */
	assert_int_equal(token_revoke(d, el[0].token), TSR_OK);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el + 3, 1), TSR_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(the_host_copies_bytes_that_a_token_names),
		T(a_copy_is_checked_against_all_that_the_token_is_bound_to),
		T(only_what_is_copied_can_be_less_than_whole_pages),
		T(the_issuer_copies_to_and_from_the_place_that_the_host_named),
		T(revoking_a_placed_token_copies_nothing),
		T(the_hypervisor_maps_or_copies_as_devices_follow_or_not),
		T(what_has_become_another_guests_since_is_not_copied_back),
		T(what_the_hypervisor_copies_in_one_call_is_bounded),
		T(the_hypervisor_issues_a_page_of_its_own),
		T(beyond_a_limit_a_call_waits_with_nothing_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
