/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Starts another kernel in place of this one, or has one ready for when this one crashes.
 *
 *	host_kexec load|crash KERNEL INITRD COMMANDLINE
 *	host_kexec go
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long flags = argc > 1 && !strcmp(argv[1], "crash") ? KEXEC_FILE_ON_CRASH : 0;
	int kernel, initrd;

	if (argc == 2 && !strcmp(argv[1], "go")) {
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	} else if (argc == 5) {
		kernel = open(argv[2], O_RDONLY);
		initrd = open(argv[3], O_RDONLY);
		if (kernel >= 0 && initrd >= 0 && !syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[4]) + 1, argv[4], flags))
			return 0;
	} else {
		errno = EINVAL;
	}
	fprintf(stderr, "host_kexec: %s\n", strerror(errno));
	return 1;
}
