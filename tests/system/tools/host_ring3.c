/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * What a program of the host's, not its kernel, tries: hypercalls and the instructions of virtualization from ring 3. Each must
 * end in a signal. Prints "NAME tries=.. sigill=.. sigsegv=.." a line.
 *
 *	host_ring3 [TRIES]
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tessera/hypercall.h>

static sigjmp_buf back;

static void caught(int sig)
{
	siglongjmp(back, sig);
}

static void vmmcall(void)
{
	int64_t status;

	asm volatile("vmmcall" : "=a" (status) : "a" ((int64_t)TSR_CALL_VERSION), "D" (0l), "S" (0l), "d" (0l) : "memory");
}

#define INSN(name, bytes) \
	static void name(void) { asm volatile(".byte " bytes : : "a" (0l), "c" (0l) : "memory"); }
INSN(vmcall, "0x0f,0x01,0xc1")
INSN(vmrun, "0x0f,0x01,0xd8")
INSN(vmload, "0x0f,0x01,0xda")
INSN(vmsave, "0x0f,0x01,0xdb")
INSN(stgi, "0x0f,0x01,0xdc")
INSN(clgi, "0x0f,0x01,0xdd")
INSN(skinit, "0x0f,0x01,0xde")
INSN(invlpga, "0x0f,0x01,0xdf")
INSN(invd, "0x0f,0x08")

static const struct {
	const char *name;
	void (*run)(void);
} attempts[] = {
	{ "vmmcall", vmmcall }, { "vmcall", vmcall }, { "vmrun", vmrun }, { "vmload", vmload }, { "vmsave", vmsave },
	{ "stgi", stgi }, { "clgi", clgi }, { "skinit", skinit }, { "invlpga", invlpga }, { "invd", invd },
};

int main(int argc, char **argv)
{
	int tries = argc > 1 ? atoi(argv[1]) : 10;
	struct sigaction sa = { .sa_handler = caught };

	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		volatile int ill = 0, segv = 0;

		for (volatile int n = 0; n < tries; n++) {
			switch (sigsetjmp(back, 1)) {
			case 0:
				attempts[i].run();
				break;
			case SIGILL:
				ill++;
				break;
			default:
				segv++;
			}
		}
		printf("%s tries=%d sigill=%d sigsegv=%d\n", attempts[i].name, tries, ill, segv);
	}
	return 0;
}
