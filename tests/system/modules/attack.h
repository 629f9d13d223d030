/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * host_attack: what a hostile host kernel would try. Each try runs on the calling CPU with a fixup behind it, so that a refusal
 * is counted and survived. One command at a time: the caller holds attack_main.c's mutex.
 */
#ifndef TESTS_ATTACK_H
#define TESTS_ATTACK_H

#include <linux/types.h>
#include <asm/trapnr.h>

struct attack {
	u64 tries;
	u64 faults;  /* tries that ended in a fault */
	u64 trap[32]; /* those, by vector */
	u64 value;   /* what the last try that succeeded has read */
	char *text;  /* further lines, PAGE_SIZE - ATTACK_HEAD bytes */
	size_t used;
};

#define ATTACK_HEAD 512

/* Notes one try; trap < 0: it succeeded. */
static inline void attack_note(struct attack *a, int trap)
{
	a->tries++;
	if (trap < 0)
		return;
	a->faults++;
	a->trap[trap & 31]++;
}

__printf(2, 3) void attack_say(struct attack *a, const char *fmt, ...);

/* All return 0, or a negative errno when the try could not even be made. arg: the command's numbers, nr of them. */
int attack_memory(struct attack *a, const char *op, const u64 *arg, int nr);
int attack_insn(struct attack *a, const char *op, const u64 *arg, int nr);
int attack_dma(struct attack *a, const char *op, const u64 *arg, int nr);
int attack_calls(struct attack *a, const char *op, const u64 *arg, int nr);
int attack_race(struct attack *a, const char *op, const u64 *arg, int nr);
/* Maps nr frames, RAM or not, whoever owns them. NULL: cannot. Ends with vunmap(). */
void *attack_map(unsigned long pfn, unsigned int nr);
/* vmap() makes nothing executable: takes that bit away, before the mapping was ever used. */
bool attack_make_executable(void *p);
int attack_mem_init(void);
void attack_mem_exit(void);
int attack_dma_init(void);
void attack_dma_exit(void);
int attack_calls_init(void);
int attack_race_init(void);
void attack_race_exit(void);

#endif
