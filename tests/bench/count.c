/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A plugin for QEMU's emulation (plugin API version 1; with -DPLUGIN_API=4 the one of QEMU 9.1 and later): counts every executed instruction by who executed it, and what instructions do not
 * price. It writes all its counters, one line of JSON, whenever the machine executes a mark: an eight-byte NOP (0f 1f 84 00) whose
 * displacement is 0x7e5eKNNN, K being the kind and NNN a number. A NOP leaves no guest, so marks work at any depth.
 *
 * Who: host and guest kernels run at the same virtual addresses, so the addresses cannot tell. The plugin follows the processor instead:
 * VMRUN begins a guest, the instruction behind that VMRUN is where it ends. A block of instructions is given its class when it is
 * translated, which is just before it runs first. That holds as long as no physical page of code is shared by two domains; check=1
 * compares at each execution, and counts the blocks for which it did not.
 *
 *	out=FILE	where the lines go
 *	root=hv|host	whose code it is that runs outside all VMRUNs (default host)
 *	hv=LOW-HIGH	addresses that are the hypervisor's whoever runs (Xen's, which PV domains have above them)
 *	who=ADDRESS	a routine whose first load tells by its address which domain comes next; the first one seen is the host.
 *			With root=hv it is the next VMRUN that enters that domain, else the domain is entered at once.
 *	watch=FILE	its lines are NAME ADDRESS: how often the hypervisor comes by there
 *	profile=N	at the end of interval N also write to FILE.N how often each instruction ran in it
 *	check=1		see above
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "decode.h"

/* The API's header is not packaged, so what is used of it is declared here. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void insn_cb(unsigned int vcpu, void *data);
typedef void mem_cb(unsigned int vcpu, uint32_t info, uint64_t vaddr, void *data);

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, insn_cb *cb, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, insn_cb *cb, int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_cb *cb, int flags, int rw, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);

enum { ADD_U64 = 0, NO_REGS = 0 };

enum domain { HV, HOST, GUEST, DOMAINS };
static const char *const domains[] = { "hv", "host", "guest" };

enum class { CLASS_HV, HOST_KERNEL, HOST_USER, GUEST_KERNEL, GUEST_USER, CLASSES };
static const char *const classes[] = { "hv", "host_kernel", "host_user", "guest_kernel", "guest_user" };

#define NAME(name) #name,
static const char *const events[] = { EVENTS(NAME) };

enum { MARK_BEGIN = 1, MARK_END, MARK_POINT };
static const char *const kinds[] = { "?", "begin", "end", "point" };

/* What is counted, added to by code that QEMU generates. */
#define WATCHED 64
#define PLACES (1u << 21)
struct counters {
	uint64_t executed[CLASSES], happened[DOMAINS][EVENT_NR], watched[WATCHED], place[PLACES];
};

#if PLUGIN_API < 2
int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *insn, int rw, int op, void *ptr, uint64_t imm);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

static struct counters counters;

static bool counters_make(void)
{
	return true;
}

static struct counters *counted(void)
{
	return &counters;
}

static void add(struct qemu_plugin_insn *insn, size_t counter, uint64_t n)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, (char *)&counters + counter, n);
}

static void add_access(struct qemu_plugin_insn *insn, int rw, size_t counter, uint64_t n)
{
	qemu_plugin_register_vcpu_mem_inline(insn, rw, ADD_U64, (char *)&counters + counter, n);
}

static size_t bytes_of(const struct qemu_plugin_insn *insn, uint8_t *bytes)
{
	size_t size = qemu_plugin_insn_size(insn);

	memcpy(bytes, qemu_plugin_insn_data(insn), size);
	return size;
}
#else
/* Counters of each virtual CPU; there is one. */
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} plugin_u64;

int qemu_plugin_version = PLUGIN_API;
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *score, unsigned int vcpu);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn, int op, plugin_u64 entry, uint64_t imm);
void qemu_plugin_register_vcpu_mem_inline_per_vcpu(struct qemu_plugin_insn *insn, int rw, int op, plugin_u64 entry, uint64_t imm);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *bytes, size_t size);

static struct qemu_plugin_scoreboard *score;

static bool counters_make(void)
{
	score = qemu_plugin_scoreboard_new(sizeof(struct counters));
	return score;
}

static struct counters *counted(void)
{
	return qemu_plugin_scoreboard_find(score, 0);
}

static void add(struct qemu_plugin_insn *insn, size_t counter, uint64_t n)
{
	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, ADD_U64, (plugin_u64){ score, counter }, n);
}

static void add_access(struct qemu_plugin_insn *insn, int rw, size_t counter, uint64_t n)
{
	qemu_plugin_register_vcpu_mem_inline_per_vcpu(insn, rw, ADD_U64, (plugin_u64){ score, counter }, n);
}

static size_t bytes_of(const struct qemu_plugin_insn *insn, uint8_t *bytes)
{
	return qemu_plugin_insn_data(insn, bytes, INSN_MAX);
}
#endif
#define COUNTER(member) offsetof(struct counters, member)

static struct decoded decode_insn(const struct qemu_plugin_insn *insn)
{
	uint8_t bytes[INSN_MAX];
	size_t size = bytes_of(insn, bytes);

	return decode(bytes, size);
}

static uint64_t strange;
static enum domain root = HOST, current, entering = GUEST;
static uint64_t hv_low, hv_high, who, who_first;
static bool check;
static FILE *out;
static char out_name[4096];

/* ------------------------------------------------------------------ who runs */

static bool in_hv(uint64_t vaddr)
{
	return vaddr >= hv_low && vaddr < hv_high;
}

static enum class class_of(uint64_t vaddr)
{
	if (current == HV || in_hv(vaddr))
		return CLASS_HV;
	return (current == HOST ? HOST_KERNEL : GUEST_KERNEL) + !(vaddr >> 63);
}

static enum domain domain_of(uint64_t vaddr)
{
	return in_hv(vaddr) ? HV : current;
}

static void on_who(unsigned int vcpu, uint32_t info, uint64_t vaddr, void *data)
{
	enum domain next;

	(void)vcpu, (void)info, (void)data;
	if (!who_first)
		who_first = vaddr;
	next = vaddr == who_first ? HOST : GUEST;
	if (root == HV) {
		entering = next;
	} else {
		counted()->happened[HV][EVENT_pv_entry]++;
		current = next;
	}
}

static void on_vmrun(unsigned int vcpu, void *data)
{
	(void)vcpu, (void)data;
	current = root == HV ? entering : GUEST;
}

/* Where guests end: behind the VMRUNs that were seen. In the place that was seen, should a guest have code at that address, too. */
#define EXITS 8
static struct exit_at {
	uint64_t vaddr;
	const char *haddr;
} exits[EXITS];
static unsigned int exit_nr;

static bool is_exit(const struct qemu_plugin_insn *insn)
{
	unsigned int i;

	for (i = 0; i < exit_nr; i++)
		if (qemu_plugin_insn_vaddr(insn) == exits[i].vaddr && qemu_plugin_insn_haddr(insn) == exits[i].haddr)
			return true;
	return false;
}

static void exit_add(const struct qemu_plugin_insn *vmrun)
{
	struct exit_at at = { .vaddr = qemu_plugin_insn_vaddr(vmrun) + qemu_plugin_insn_size(vmrun),
			      .haddr = (const char *)qemu_plugin_insn_haddr(vmrun) + qemu_plugin_insn_size(vmrun) };
	unsigned int i;

	for (i = 0; i < exit_nr; i++)
		if (exits[i].vaddr == at.vaddr && exits[i].haddr == at.haddr)
			return;
	if (exit_nr == EXITS) {
		fprintf(stderr, "count: more than %d places have a VMRUN\n", EXITS);
		abort();
	}
	exits[exit_nr++] = at;
}

static void on_exit_from(unsigned int vcpu, void *data)
{
	(void)vcpu, (void)data;
	current = root;
}

/* ------------------------------------------------------------------ places of the hypervisor's: watch= */

static uint64_t watch_at[WATCHED];
static const char *watch_names[WATCHED];
static unsigned int watch_nr;

static bool watch_read(const char *name)
{
	FILE *file = fopen(name, "r");
	unsigned long long address;
	char text[64];

	if (!file)
		return false;
	while (watch_nr < WATCHED && fscanf(file, "%63s %llx", text, &address) == 2) {
		watch_names[watch_nr] = strdup(text);
		watch_at[watch_nr++] = address;
	}
	fclose(file);
	return true;
}

static void watch(struct qemu_plugin_insn *insn)
{
	unsigned int i;

	for (i = 0; i < watch_nr; i++)
		if (watch_at[i] == qemu_plugin_insn_vaddr(insn))
			add(insn, COUNTER(watched) + i * sizeof(uint64_t), 1);
}

static void on_check(unsigned int vcpu, void *data)
{
	uint64_t n = (uintptr_t)data;

	(void)vcpu;
	/* The class at translation, and half the address space; that is all class_of() looks at besides the hypervisor's addresses. */
	strange += (n & 7) != class_of((n & 8) ? 0 : n & 16 ? hv_low : UINT64_MAX);
}

/* ------------------------------------------------------------------ how often each instruction runs: profile= */

/* Open addressing; an entry's number is its counter's. */
struct place {
	uint64_t vaddr;
	enum class class;
	bool used;
};

static int profile = -1;
static struct place *places;

static size_t place_of(uint64_t vaddr, enum class class)
{
	static size_t used;
	size_t i = (vaddr * 0x9e3779b97f4a7c15 >> 20) + class;

	for (i &= PLACES - 1; places[i].used && (places[i].vaddr != vaddr || places[i].class != class); i = (i + 1) & (PLACES - 1))
		;
	if (!places[i].used && ++used > PLACES / 4 * 3) {
		fprintf(stderr, "count: more than %u instructions to profile\n", PLACES / 4 * 3);
		abort();
	}
	places[i] = (struct place){ vaddr, class, true };
	return i;
}

static void places_write(void)
{
	const uint64_t *count = counted()->place;
	char name[sizeof(out_name) + 16];
	FILE *file;
	size_t i;

	snprintf(name, sizeof(name), "%s.%d", out_name, profile);
	file = fopen(name, "w");
	if (!file)
		return;
	for (i = 0; i < PLACES; i++)
		if (count[i])
			fprintf(file, "%s %llx %llu\n", classes[places[i].class], (unsigned long long)places[i].vaddr, (unsigned long long)count[i]);
	fclose(file);
}

/* ------------------------------------------------------------------ marks */

static void write_numbers(const char *name, const char *const *names, const uint64_t *values, int n)
{
	int i;

	fprintf(out, ", \"%s\": {", name);
	for (i = 0; i < n; i++)
		fprintf(out, "%s\"%s\": %llu", i ? ", " : "", names[i], (unsigned long long)values[i]);
	fputc('}', out);
}

static void on_mark(unsigned int vcpu, void *data)
{
	static int interval;
	uint64_t mark = (uintptr_t)data;
	unsigned int kind = mark >> 12 & 3, i;

	(void)vcpu;
	if (kind == MARK_END && interval++ == profile)
		places_write();
	fprintf(out, "{\"mark\": \"%s\", \"number\": %u, \"domain\": \"%s\", \"strange\": %llu", kinds[kind], (unsigned int)mark & 0xfff, domains[current],
		(unsigned long long)strange);
	write_numbers("instructions", classes, counted()->executed, CLASSES);
	for (i = 0; i < DOMAINS; i++)
		write_numbers(domains[i], events, counted()->happened[i], EVENT_NR);
	write_numbers("watched", watch_names, counted()->watched, (int)watch_nr);
	fputs("}\n", out);
	fflush(out);
	if (kind == MARK_BEGIN && interval == profile)
		memset(counted()->place, 0, sizeof(counted()->place));
}

/* ------------------------------------------------------------------ translation */

static void instrument(struct qemu_plugin_insn *insn)
{
	uint64_t vaddr = qemu_plugin_insn_vaddr(insn);
	enum class class = class_of(vaddr);
	size_t events_at = COUNTER(happened) + domain_of(vaddr) * sizeof(counted()->happened[0]);
	struct decoded d = decode_insn(insn);

	add(insn, COUNTER(executed) + class * sizeof(uint64_t), 1);
	if (profile >= 0)
		add(insn, COUNTER(place) + place_of(vaddr, class) * sizeof(uint64_t), 1);
	if (d.event >= 0)
		add(insn, events_at + d.event * sizeof(uint64_t), 1);
	if (d.string_event >= 0) {
		/* By their accesses: QEMU begins the instruction once more to find the count at zero. */
		add_access(insn, d.rw, events_at + d.string_event * sizeof(uint64_t), 1);
		add_access(insn, d.rw, events_at + (d.string_event + 1) * sizeof(uint64_t), d.width);
	}
	if (class == CLASS_HV)
		watch(insn);
	if (d.event == EVENT_vmrun) {
		exit_add(insn);
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_vmrun, NO_REGS, NULL);
	}
	if (d.mark)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGS, (void *)(uintptr_t)d.mark);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, 0);
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	uint64_t vaddr = qemu_plugin_insn_vaddr(insn);

	(void)id;
	if (is_exit(insn)) {
		current = root;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_exit_from, NO_REGS, NULL);
	}
	if (check) {
		uintptr_t data = (uintptr_t)class_of(vaddr) | (vaddr >> 63 ? 0 : 8) | (in_hv(vaddr) ? 16 : 0);

		/* After on_exit_from, which is the first instruction's: so the block's own callback would come too early. */
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_check, NO_REGS, (void *)data);
	}
	for (i = 0; i < n; i++)
		instrument(qemu_plugin_tb_get_insn(tb, i));
	if (vaddr == who && class_of(vaddr) == CLASS_HV) {
		for (i = 0; i < n; i++) {
			insn = qemu_plugin_tb_get_insn(tb, i);
			if (decode_insn(insn).load) {
				/* For both kinds: QEMU 7.2 does not call back for loads alone. */
				qemu_plugin_register_vcpu_mem_cb(insn, on_who, NO_REGS, MEM_R | MEM_W, NULL);
				break;
			}
		}
	}
}

static bool option(const char *text)
{
	char *end;

	if (!strncmp(text, "out=", 4)) {
		snprintf(out_name, sizeof(out_name), "%s", text + 4);
		out = fopen(out_name, "w");
		return out;
	}
	if (!strcmp(text, "root=hv") || !strcmp(text, "root=host")) {
		root = !strcmp(text + 5, "hv") ? HV : HOST;
		return true;
	}
	if (!strncmp(text, "hv=", 3)) {
		hv_low = strtoull(text + 3, &end, 16);
		hv_high = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
		return !*end && hv_high > hv_low;
	}
	if (!strncmp(text, "who=", 4)) {
		who = strtoull(text + 4, &end, 16);
		return !*end && who;
	}
	if (!strncmp(text, "watch=", 6))
		return watch_read(text + 6);
	if (!strncmp(text, "profile=", 8)) {
		profile = (int)strtoul(text + 8, &end, 10);
		places = calloc(PLACES, sizeof(*places));
		return !*end && places;
	}
	check = !strcmp(text, "check=1");
	return check;
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!option(argv[i])) {
			fprintf(stderr, "count: cannot take the option %s\n", argv[i]);
			return -1;
		}
	if (!out || !counters_make()) {
		fprintf(stderr, "count: out=FILE is missing, or memory\n");
		return -1;
	}
	current = root;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
