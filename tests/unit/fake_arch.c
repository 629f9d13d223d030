/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* hv/core/arch.h for the machine of fake_arch.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "fake_arch.h"

struct fake fake;
static struct frame *frames;
static struct arch_tables *host_tables;

/* RAM, kept from one machine to the next of its size: only the frames that were used have to be cleared. */
static struct {
	uint8_t *bytes;
	uint64_t frames;
	bool *used;
	uint32_t *list;
	uint64_t nr_used;
} ram;

/* ------------------------------------------------------------------ the machine */

static void free_tables(struct arch_tables *t)
{
	if (!t)
		return;
	free(t->leaf);
	free(t->dma);
	free(t->prepared);
	free(t);
}

static void ram_free(void)
{
	if (ram.frames)
		munmap(ram.bytes, ram.frames * TSR_PAGE_SIZE);
	free(ram.used);
	free(ram.list);
	memset(&ram, 0, sizeof(ram));
}

static void ram_get(uint64_t nr)
{
	static bool told;

	if (nr != ram.frames) {
		ram_free();
		ram.bytes = mmap(NULL, nr * TSR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ram.used = calloc(nr, sizeof(*ram.used));
		ram.list = calloc(nr, sizeof(*ram.list));
		assert(ram.bytes != MAP_FAILED && ram.used && ram.list);
		ram.frames = nr;
	}
	while (ram.nr_used) {
		uint64_t m = ram.list[--ram.nr_used];

		memset(ram.bytes + m * TSR_PAGE_SIZE, 0, TSR_PAGE_SIZE);
		ram.used[m] = false;
	}
	if (!told)
		atexit(ram_free);
	told = true;
}

void fake_stop(void)
{
	for (uint32_t i = DOMAIN_GUEST; i < DOMAIN_NR; i++) {
		struct domain *d = domain_by_id(i);

		free_tables(d->tables);
		d->tables = NULL;
		for (uint32_t k = 0; k < TSR_MAX_VCPUS; k++) {
			free(d->vcpu[k].arch);
			d->vcpu[k].arch = NULL;
		}
	}
	free_tables(host_tables);
	host_tables = NULL;
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		free(fake.cpu[i].buffer);
		free(fake.cpu[i].buffered);
		free(fake.cpu[i].order);
	}
	free(frames);
	frames = NULL;
	memset(&fake, 0, sizeof(fake));
}

void fake_start(const struct fake_config *config)
{
	static const struct fake_config standard;
	uint64_t n;

	if (frames)
		fake_stop();
	config = config ? config : &standard;
	n = config->frames ? config->frames : 8192;
	fake.nr_frames = n;
	ram_get(n);
	fake.random = 0x9e3779b97f4a7c15ull;
	frames = calloc(n, sizeof(*frames));
	assert(frames);
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		fake.cpu[i].buffer = calloc(n, sizeof(struct leaf));
		fake.cpu[i].buffered = calloc(n, sizeof(bool));
		fake.cpu[i].order = calloc(n, sizeof(uint32_t));
	}

	const struct ram_range ranges[] = { { 0, FAKE_HOLE }, { 256, n - 256 - 32 } };
	const struct core_boot boot = {
		.frames = frames,
		.nr_frames = n,
		.ram = ranges,
		.nr_ram = 2,
		.hv = { FAKE_HV_FIRST, FAKE_HV_PAGES },
		.nr_cpus = FAKE_CPUS,
		.guests_allowed = !config->no_guests,
		.development = config->development,
		.root_secret = config->root_secret,
		.stats = { FAKE_HV_FIRST + 3 },
		.limit = config->limit,
	};
	core_init(&boot);
	fake.no_iommu = config->no_iommu;
}

static void forget(struct fake_cpu *c)
{
	while (c->remembered)
		c->buffered[c->order[--c->remembered]] = false;
}

void fake_enter(unsigned cpu)
{
	struct fake_cpu *c = &fake.cpu[cpu];

	c->inside = core_host();
	c->seen = core_host()->generation;
	forget(c);
}

void fake_leave(unsigned cpu)
{
	fake.cpu[cpu].inside = NULL;
}

uint8_t *fake_host_access(unsigned cpu, uint64_t g, uint8_t perm)
{
	struct fake_cpu *c = &fake.cpu[cpu];

	assert(c->inside == core_host() && g < fake.nr_frames);
	if (!c->buffered[g] && host_tables->leaf[g].perm) {
		c->buffer[g] = host_tables->leaf[g];
		c->buffered[g] = true;
		c->order[c->remembered++] = (uint32_t)g;
	}
	if (!c->buffered[g] || (c->buffer[g].perm & perm) != perm)
		return NULL;
	return arch_frame(c->buffer[g].frame);
}

void fake_corrupt(struct domain *d, uint64_t g, struct leaf l)
{
	d->tables->leaf[g] = l;
}

/* ------------------------------------------------------------------ memory */

void *arch_frame(mfn_t m)
{
	assert(m.n < fake.nr_frames);
	if (!ram.used[m.n]) {
		ram.used[m.n] = true;
		ram.list[ram.nr_used++] = (uint32_t)m.n;
	}
	return ram.bytes + m.n * TSR_PAGE_SIZE;
}

struct arch_tables *arch_tables_create(struct domain *d)
{
	struct arch_tables *t;
	mfn_t m;

	if (d->id != DOMAIN_HOST && !core_table_page(d, &m))
		return NULL;
	t = calloc(1, sizeof(*t));
	t->nr = d->id == DOMAIN_HOST ? fake.nr_frames : d->mem_pages;
	t->leaf = calloc(t->nr, sizeof(*t->leaf));
	t->dma = calloc(t->nr, sizeof(*t->dma));
	t->prepared = calloc(t->nr / 512 + 1, sizeof(bool));
	if (d->id == DOMAIN_HOST)
		host_tables = t;
	return t;
}

void arch_tables_destroy(struct domain *d)
{
	free_tables(d->tables);
}

bool arch_leaf_prepare(struct domain *d, gfn_t g)
{
	mfn_t m;

	if (d->tables->prepared[g.n / 512])
		return true;
	if (!core_table_page(d, &m))
		return false;
	d->tables->prepared[g.n / 512] = true;
	return true;
}

void arch_leaf_set(struct domain *d, gfn_t g, struct leaf l)
{
	assert(fake.locked && g.n < d->tables->nr);
	assert(d->id == DOMAIN_HOST || d->tables->prepared[g.n / 512]);
	d->tables->leaf[g.n] = l;
}

struct leaf arch_leaf_get(const struct domain *d, gfn_t g)
{
	assert(g.n < d->tables->nr);
	return d->tables->leaf[g.n];
}

void arch_leaf_fill(struct domain *host, struct ram_range r)
{
	assert(r.first < fake.nr_frames && r.count <= fake.nr_frames - r.first);
	for (uint64_t m = r.first; m < r.first + r.count; m++)
		host->tables->leaf[m] = (struct leaf){ .frame = mfn(m), .perm = PERM_RWX };
}

void arch_leaf_walk(const struct domain *d, void (*fn)(void *ctx, gfn_t g, struct leaf l), void *ctx)
{
	for (uint64_t g = 0; g < d->tables->nr; g++)
		if (d->tables->leaf[g].perm)
			fn(ctx, gfn(g), d->tables->leaf[g]);
}

bool arch_dma_active(void)
{
	return !fake.no_iommu;
}

void arch_dma_set(gfn_t g, struct leaf l)
{
	assert(fake.locked && g.n < host_tables->nr);
	host_tables->dma[g.n] = l;
}

struct leaf arch_dma_get(gfn_t g)
{
	assert(g.n < host_tables->nr);
	return host_tables->dma[g.n];
}

void arch_dma_fill(struct ram_range r)
{
	assert(r.first < fake.nr_frames && r.count <= fake.nr_frames - r.first);
	for (uint64_t m = r.first; m < r.first + r.count; m++)
		host_tables->dma[m] = (struct leaf){ .frame = mfn(m), .perm = PERM_R | PERM_W };
}

void arch_dma_poll(void)
{
	for (; fake.recorded; fake.recorded--, fake.refused++)
		core_count(TSR_COUNT_dma_faults);
}

void arch_dma_faults(struct tsr_dma_faults *out)
{
	out->total = fake.refused;
	if (!fake.refused)
		return;
	out->count = 1;
	out->fault[0] = (struct tsr_dma_fault){ .address = 0x1234000, .device = 0x18, .write = 1, .reason = 2 };
}

/* ------------------------------------------------------------------ shoot-down */

uint64_t arch_flush_begin(struct domain *d)
{
	assert(fake.locked);
	fake.flushes++;
	core_count(TSR_COUNT_shootdowns);
	return ++d->generation;
}

bool arch_flush_wait(struct domain *d, uint64_t generation)
{
	bool all = true;

	assert(fake.locked && generation <= d->generation);
	if (fake.on_wait)
		fake.on_wait();
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		struct fake_cpu *c = &fake.cpu[i];

		if (c->inside != d || c->seen >= generation)
			continue;
		if (c->refuses) {
			all = false;
			continue;
		}
		c->seen = d->generation;
		forget(c);
	}
	return all;
}

/* ------------------------------------------------------------------ virtual CPUs */

bool arch_vcpu_create(struct vcpu *v)
{
	mfn_t m;

	if (!core_table_page(v->dom, &m))
		return false;
	v->arch = calloc(1, sizeof(*v->arch));
	v->arch->page = m;
	return true;
}

void arch_vcpu_entry(struct vcpu *v, uint32_t eip, uint32_t esi)
{
	v->arch->eip = eip;
	v->arch->esi = esi;
}

void arch_vcpu_destroy(struct vcpu *v)
{
	free(v->arch);
}

void arch_vcpu_run(struct vcpu *v, struct tsr_run_exit *exit)
{
	assert(!fake.locked && v->running_on >= 0);
	exit->reason = TSR_RUN_INTR;
	if (fake.run)
		fake.run(v, exit);
}

void arch_vcpu_exit(struct vcpu *v, const struct tsr_run_exit *exit)
{
	(void)v;
	fake.exit = *exit;
	fake.exits++;
}

uint32_t arch_vcpu_kick(struct vcpu *v)
{
	assert(v->arch);
	fake.kicked = v;
	fake.kicks++;
	return fake.idle ? 1u << v->index : 0;
}

void arch_vcpu_wake(struct vcpu *by, uint32_t set)
{
	assert(by->arch);
	fake.woken |= set;
}

void arch_console_take(struct domain *d, struct tsr_run_exit *exit)
{
	assert(fake.locked && d->id >= DOMAIN_GUEST);
	exit->console_len = fake.console_out;
	memset(exit->console, 'x', fake.console_out);
	fake.console_out = 0;
}

uint32_t arch_console_input(struct domain *d, const uint8_t *bytes, uint32_t len)
{
	uint32_t n = len < fake.console_room ? len : fake.console_room;

	assert(d->vcpu[0].arch && len <= sizeof(fake.console));
	memcpy(fake.console, bytes, n);
	return n;
}

/* ------------------------------------------------------------------ the rest */

/* Not random, so that a failing test fails again. */
void arch_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len--) {
		fake.random ^= fake.random << 13;
		fake.random ^= fake.random >> 7;
		fake.random ^= fake.random << 17;
		*p++ = (uint8_t)(fake.random >> 32);
	}
}

uint64_t arch_tsc_khz(void)
{
	return FAKE_TSC_KHZ;
}

void arch_lock(void)
{
	assert(!fake.locked);
	fake.locked = true;
}

void arch_unlock(void)
{
	assert(fake.locked);
	fake.locked = false;
}

void arch_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fake.log, sizeof(fake.log), fmt, ap);
	va_end(ap);
}

_Noreturn void arch_halt(const char *why)
{
	snprintf(fake.halt_why, sizeof(fake.halt_why), "%s", why);
	if (fake.expect_halt) {
		fake.locked = false;
		longjmp(fake.halted, 1);
	}
	fprintf(stderr, "halted: %s (%s)\n", why, fake.log);
	abort();
}
