/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * KVM's paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst): a page in the guest that turns its TSC into
 * nanoseconds. The TSC is one for the machine and constant, so the page is written once, marked stable. Time of day is the
 * real-time clock's at boot, carried on by the TSC: no better than what the machine's owner set.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define CLOCK_ENABLE	1ull
#define CLOCK_STABLE	1u	/* pvclock flags */
#define NSEC		1000000000ull

struct clock_page {
	uint32_t version, pad0;
	uint64_t tsc, nsec;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad[2];
};
TSR_ASSERT_SIZE(struct clock_page, 32);

struct wall_page {
	uint32_t version, sec, nsec;
};
TSR_ASSERT_SIZE(struct wall_page, 12);

static uint64_t boot_sec, boot_tsc;

static uint8_t cmos(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static uint32_t from_bcd(uint32_t b)
{
	return (b & 15) + (b >> 4) * 10;
}

/* Days from 1970-01-01 by the civil calendar, years 2000 to 2099. */
static uint32_t days(uint32_t year, uint32_t month, uint32_t day)
{
	static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

	return 10957 + (year - 2000) * 365 + (year - 2000 + 3) / 4 + before[month - 1] + (month > 2 && year % 4 == 0) + day - 1;
}

void guest_clock_init(void)
{
	uint32_t t[6], again;
	uint8_t format;

	/* Registers are good while no update is in progress (bit 7 of A), so read until two passes agree on the second. */
	for (uint32_t tries = 0; tries < 1000000 && (cmos(10) & 0x80); tries++)
		cpu_relax();
	do {
		static const uint8_t reg[] = { 0, 2, 4, 7, 8, 9 };

		for (uint32_t i = 0; i < 6; i++)
			t[i] = cmos(reg[i]);
		again = cmos(0);
		boot_tsc = rdtsc();
	} while (again != t[0]);
	format = cmos(11);
	if (!(format & 2) && (t[2] & 0x80))
		t[2] = (t[2] & 0x7f) | 0x100;
	for (uint32_t i = 0; i < 6 && !(format & 4); i++)
		t[i] = from_bcd(t[i] & 0xff) | (t[i] & 0x100);
	if (t[2] & 0x100)
		t[2] = (t[2] & 0xff) % 12 + 12;
	if (t[4] < 1 || t[4] > 12)
		t[4] = 1;
	boot_sec = days(2000 + t[5] % 100, t[4], t[3]) * 86400ull + t[2] * 3600 + t[1] * 60 + t[0];
}

/* Both halves of the division stay below 2^64 for any TSC below 1 THz. */
static uint64_t to_nsec(uint64_t ticks)
{
	uint64_t khz = tsc_khz();

	return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

/* nsec = ((ticks << shift) * mul) >> 32, mul in the upper half of its range. */
static void scale(uint32_t *mul, int8_t *shift)
{
	uint64_t hz = tsc_khz() * 1000, ns = NSEC;

	*shift = 0;
	while (hz > ns * 2) {
		hz >>= 1;
		(*shift)--;
	}
	while (hz <= ns) {
		hz <<= 1;
		(*shift)++;
	}
	*mul = (uint32_t)((ns << 32) / hz);
}

/*
 * size bytes into the guest's memory, if all of them lie in one page that the frame table says is the guest's. The
 * version, at the start, is odd while the rest changes.
 */
static enum guest_verdict put(struct vcpu *v, uint64_t gpa, const void *data, uint32_t size)
{
	uint32_t off = gpa & (PAGE - 1);
	const uint32_t *from = data;
	struct leaf l;

	if (gpa % 4 || off + size > PAGE)
		return G_GP;
	arch_lock();
	l = core_leaf_expected(v->dom, gfn(gpa / PAGE));
	if (l.perm & PERM_W) {
		uint32_t *to = (uint32_t *)((char *)arch_frame(l.frame) + off);

		__atomic_store_n(&to[0], from[0] - 1, __ATOMIC_RELEASE);
		for (uint32_t i = 1; i < size / 4; i++)
			__atomic_store_n(&to[i], from[i], __ATOMIC_RELEASE);
		__atomic_store_n(&to[0], from[0], __ATOMIC_RELEASE);
	}
	arch_unlock();
	return l.perm & PERM_W ? G_DONE : G_GP;
}

enum guest_verdict guest_clock_set(struct vcpu *v, uint64_t val)
{
	struct arch_vcpu *a = v->arch;
	struct clock_page p = { .flags = CLOCK_STABLE };
	enum guest_verdict verdict = G_DONE;
	uint64_t now = rdtsc();

	if (val & CLOCK_ENABLE) {
		a->clock_version += 2;
		p.version = a->clock_version;
		p.tsc = now + a->vmcb->tsc_offset;
		p.nsec = to_nsec(now - v->dom->vcpu[0].arch->clock_base);
		scale(&p.mul, &p.shift);
		verdict = put(v, val & ~CLOCK_ENABLE, &p, sizeof(p));
	}
	if (verdict == G_DONE)
		a->clock_msr = val;
	return verdict;
}

void guest_clock_update(struct vcpu *v)
{
	/* A page that is no longer there is the guest's own affair. */
	if (v->arch->clock_msr & CLOCK_ENABLE)
		(void)guest_clock_set(v, v->arch->clock_msr);
}

/* Time of day when the guest's clock read 0. */
enum guest_verdict guest_wall_set(struct vcpu *v, uint64_t val)
{
	struct arch_vcpu *a = v->arch;
	uint64_t ns = to_nsec(v->dom->vcpu[0].arch->clock_base - boot_tsc);
	struct wall_page p;

	a->clock_version += 2;
	p = (struct wall_page){ a->clock_version, (uint32_t)(boot_sec + ns / NSEC), (uint32_t)(ns % NSEC) };
	a->wall_msr = val;
	return put(v, val, &p, sizeof(p));
}
