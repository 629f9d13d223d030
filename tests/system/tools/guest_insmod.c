/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * insmod that does not compare the versions of symbols: guest_fake exports tessera.ko's functions, but Linux's checksums over the types in
 * their prototypes also tell which headers were included around them.
 */
#include <fcntl.h>
#include <linux/module.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: guest_insmod FILE.ko [PARAMETERS]\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, argc == 3 ? argv[2] : "", MODULE_INIT_IGNORE_MODVERSIONS)) {
		fprintf(stderr, "guest_insmod: %s: %m\n", argv[1]);
		return 1;
	}
	return 0;
}
