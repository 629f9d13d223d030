/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The options of `guest create`, `guest run` and `measure`: all that makes a guest. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "host-backend/cli/cli.h"
#include "host-backend/cli/loader.h"

struct guest_options {
	char name[TSR_NAME_SIZE]; /* empty if not given; not measured */
	bool json;
	struct tsr_guest_create config;
	struct cli_file kernel, initrd; /* the raw file is in kernel */
	struct loader_contents contents;
};

/* CLI_OK and everything built, or an exit code after saying why. */
int guest_options_parse(struct guest_options *o, const struct cli_command *self, int argc, char **argv);
void guest_options_free(struct guest_options *o);

/* What the options mean, for the help of those three. */
#define DEFAULT_COMMAND_LINE "console=ttyS0 panic=-1"
#define GUEST_OPTIONS_HELP \
	"  --name NAME        to call it by; for people only\n" \
	"  --json             answer in JSON\n\n" \
	"What the guest is made of; all of it but the name is measured and decides its keys:\n" \
	"  --memory SIZE      RAM, a multiple of 4K (default 512M)\n" \
	"  --vcpus N          virtual CPUs, 1 to 16 (default 1)\n" \
	"  --kernel FILE      a bzImage, such as a distribution's vmlinuz\n" \
	"  --initrd FILE      its initramfs\n" \
	"  --cmdline TEXT     its command line (default \"" DEFAULT_COMMAND_LINE "\")\n" \
	"  --disk LABEL       a sealed disk; up to 8 times. The label names the disk's key\n" \
	"  --suite NAME       what the disk just named is sealed with: aegis-128l (default) or aes-256-gcm\n" \
	"  --instance HEX     up to 64 bytes that tell apart owners who start the same image\n" \
	"  --console-input    let this host type into the guest's console: who has the host then has a shell there\n" \
	"Instead of a kernel, for tests:\n" \
	"  --raw FILE         a flat file, entered in 32-bit mode\n" \
	"  --load-address A   where it goes (default 0x100000)\n" \
	"  --entry A          where it is entered (default: its start)\n"

#endif
