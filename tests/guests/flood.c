/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Keeps the hypervisor and the host as busy as a guest can, and never ends: tokens issued and revoked in full batches, a session after the
 * other, doorbells, console bytes, interrupts to itself, refused registers, ports and calls. Its device 0 is a block device, or half of this is
 * refused.
 */
#include <tessera/hypercall.h>
#include <tessera/platform.h>

#include "tests/guests/lib.h"

#define FIRST_PAGE 512u /* behind this program */
#define QUEUES 16u

static uint32_t mailbox[1024] __attribute__((aligned(4096)));
static struct tsr_token token[TSR_MAX_BATCH];
static uint32_t session;

static void clear(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		mailbox[i] = 0;
}

static void tokens(void)
{
	struct tsr_token_issue *issue = (void *)mailbox;
	struct tsr_token_ref *ref = (void *)mailbox;

	clear();
	for (uint32_t i = 0; i < TSR_MAX_BATCH; i++)
		issue[i] = (struct tsr_token_issue){ .gfn = FIRST_PAGE + i, .pages = 1, .dir = TSR_DIR_BOTH, .session = session + 1 };
	if (hypercall(TSR_CALL_TOKEN_ISSUE, TSR_MAX_BATCH, 0, 0, NULL))
		return;
	for (uint32_t i = 0; i < TSR_MAX_BATCH; i++)
		token[i] = issue[i].token;
	clear();
	for (uint32_t i = 0; i < TSR_MAX_BATCH; i++)
		ref[i].token = token[i];
	hypercall(TSR_CALL_TOKEN_REVOKE, TSR_MAX_BATCH, 0, 0, NULL);
}

/* A control page of garbage, handed over and taken back. */
static void connect(void)
{
	struct tsr_token_issue *issue = (void *)mailbox;
	struct tsr_connect *c = (void *)mailbox;
	struct tsr_token t;

	clear();
	issue[0] = (struct tsr_token_issue){ .gfn = FIRST_PAGE, .pages = 1, .dir = TSR_DIR_BOTH, .session = ++session };
	if (hypercall(TSR_CALL_TOKEN_ISSUE, 1, 0, 0, NULL))
		return;
	t = issue[0].token;
	for (uint32_t i = 0; i < 64; i++)
		((volatile uint32_t *)(FIRST_PAGE * 4096u))[i] = session * 2654435761u + i;
	clear();
	*c = (struct tsr_connect){ .session = session, .token = t };
	hypercall(TSR_CALL_CONNECT, 0, 0, 0, NULL);
	clear();
	((struct tsr_token_ref *)(void *)mailbox)->token = t;
	/* Refused as long as it is being mapped. */
	while (hypercall(TSR_CALL_TOKEN_REVOKE, 1, 0, 0, NULL) == -TSR_E_AGAIN)
		;
}

void guest_main(void)
{
	idt_init();
	hypercall(TSR_CALL_MAILBOX, (uint32_t)mailbox >> 12, 0, 0, NULL);
	say("flood: begins\n");
	for (uint32_t n = 0;; n++) {
		tokens();
		if (n % 8 == 0)
			connect();
		for (uint32_t i = 0; i < 4 * QUEUES; i++)
			hypercall(TSR_CALL_NOTIFY, 0, i % QUEUES, 0, NULL);
		for (uint32_t i = 0; i < 64; i++)
			hypercall(TSR_CALL_EVENT_BIND, i, 0, 0x41 + i % 64, NULL);
		for (uint32_t i = 0; i < 64; i++)
			hypercall(i + 64, i, i, i, NULL);
		for (uint32_t i = 0; i < 16; i++) {
			try_wrmsr(0x1a0 + i, n);
			outb(0x70, (uint8_t)i);
			wrmsr(MSR_X2APIC(0x3f), TIMER_VECTOR);
			asm volatile("sti; nop; cli" : : : "memory");
		}
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
		if (n % 16 == 0)
			say("flood\n");
	}
}
