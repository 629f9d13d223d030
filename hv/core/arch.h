/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * What the core asks of the architecture: x86 with SVM today, VMX later, a fake in unit tests. Nothing of a vendor is here.
 * Unless it says otherwise a function is called with core_lock held, and cannot fail.
 */
#ifndef HV_CORE_ARCH_H
#define HV_CORE_ARCH_H

#include <core/core.h>

/* ------------------------------------------------------------------ memory */

/* RAM as the hypervisor sees it; valid for every frame of RAM. */
void *arch_frame(mfn_t m);

/*
 * Nested tables. The host's are reserved at start: every leaf of RAM can be set without allocation, large leaves are split on the
 * way (clear, flush, write) and stay split. A guest's take pages by core_table_page() of its donated ones.
 */
struct arch_tables *arch_tables_create(struct domain *d); /* NULL: no table page left; undone by arch_tables_destroy */
void arch_tables_destroy(struct domain *d);               /* forgets them; the core scrubs the pages */
bool arch_leaf_prepare(struct domain *d, gfn_t g);        /* makes sure arch_leaf_set(g) has its tables; false: no table page */
void arch_leaf_set(struct domain *d, gfn_t g, struct leaf l); /* the caller is core/leaf.c and nobody else */
struct leaf arch_leaf_get(const struct domain *d, gfn_t g); /* perm 0 if absent */
/* Host RAM at start: identity leaves RWX for count frames from first, large ones where they fit. */
void arch_leaf_fill(struct domain *host, struct ram_range r);
/* Calls fn for each present leaf of 4 KiB (large ones as their parts) that maps RAM; for the oracle. */
void arch_leaf_walk(const struct domain *d, void (*fn)(void *ctx, gfn_t g, struct leaf l), void *ctx);

/*
 * What the host's devices may do at g: perm is of PERM_R and PERM_W. The same rules as for the host's leaves, the same one caller; without an IOMMU
 * set and fill do nothing. arch_flush_begin and arch_flush_wait of the host cover these translations too.
 */
bool arch_dma_active(void);
void arch_dma_set(gfn_t g, struct leaf l);
struct leaf arch_dma_get(gfn_t g);
void arch_dma_fill(struct ram_range r);
void arch_dma_poll(void); /* takes over what the units have recorded, and counts it */
void arch_dma_faults(struct tsr_dma_faults *out); /* total, count and entries of a zeroed *out */

/* Takes one zeroed page of d's donated table pages; provided by the core for the architecture. false: none left. */
bool core_table_page(struct domain *d, mfn_t *out);

/* ------------------------------------------------------------------ shoot-down */

/*
 * Begins a shoot-down of d's translations: raises d->generation, sends an NMI to each CPU inside d that has seen an older one.
 * A CPU enters a container only after it has flushed for the generation it then reads. Returns the generation to wait for.
 */
uint64_t arch_flush_begin(struct domain *d);
/* Waits, bounded, until no CPU is inside d with an older generation. false: some CPU has not answered yet; ask again. */
bool arch_flush_wait(struct domain *d, uint64_t generation);

/* ------------------------------------------------------------------ virtual CPUs of guests */

/* Sets up v->arch in table pages of its domain (core_table_page), at the ABI's entry state. false: no table page left. */
bool arch_vcpu_create(struct vcpu *v);
void arch_vcpu_entry(struct vcpu *v, uint32_t eip, uint32_t esi);
void arch_vcpu_destroy(struct vcpu *v);
/*
 * Runs v on this CPU, lock NOT held, until the host is needed; fills *exit but for the console. Never touches host memory. Guest hypercalls go to
 * core_hypercall(v, ...) from in here; one that sets v's domain state to stopped, CONNECT or NOTIFY ends the run through arch_vcpu_exit.
 */
void arch_vcpu_run(struct vcpu *v, struct tsr_run_exit *exit);
/* Called from core_hypercall of a running v (lock held or not): leave the guest after this instruction, with this exit. */
void arch_vcpu_exit(struct vcpu *v, const struct tsr_run_exit *exit);
/*
 * v has a new pending event or must stop: if it is inside on some CPU, makes it leave and look again. If it is idle, returns the bit of its
 * number, else 0: the host must run it again, or it sleeps on. Lock held or not.
 */
uint32_t arch_vcpu_kick(struct vcpu *v);
/* From inside the run of by: the run ends and tells the host to wake this set of virtual CPUs. Nothing if it is 0. */
void arch_vcpu_wake(struct vcpu *by, uint32_t set);
/* Bytes for the guest's UART; returns how many were taken. */
uint32_t arch_console_input(struct domain *d, const uint8_t *bytes, uint32_t len);
/* Takes what the guest has sent into exit->console. */
void arch_console_take(struct domain *d, struct tsr_run_exit *exit);

/* ------------------------------------------------------------------ the rest */

void arch_random(void *buf, size_t len);
uint64_t arch_tsc_khz(void);
void arch_lock(void);   /* core_lock: fair */
void arch_unlock(void);
void arch_log(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* one line on the console, "tessera: " put in front */
_Noreturn void arch_halt(const char *why); /* a broken invariant: all CPUs stop, nothing is revealed */

#endif
