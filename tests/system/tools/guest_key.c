/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Application keys of the guest it runs in, from labels; salts are zero.
 *
 *	guest_key fill LABEL BYTES	writes the key to standard output, over and over
 *	guest_key hold LABEL...		keeps the keys in memory and says so, until it is killed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tessera/guest.h>

#define MAX_KEYS 16

static int derive(const char *label, uint8_t *key)
{
	struct tsr_ioc_guest_key k = { };
	int fd = open(TSR_GUEST_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "guest_key: opening %s: %s\n", TSR_GUEST_DEVICE, strerror(errno));
		return -1;
	}
	if (strlen(label) > sizeof(k.label)) {
		fprintf(stderr, "guest_key: the label '%s' has more than %zu bytes\n", label, sizeof(k.label));
		return -1;
	}
	memcpy(k.label, label, strlen(label));
	if (ioctl(fd, TSR_IOC_GUEST_KEY_DERIVE, &k)) {
		fprintf(stderr, "guest_key: deriving '%s': %s\n", label, strerror(errno));
		return -1;
	}
	memcpy(key, k.key, sizeof(k.key));
	close(fd);
	return 0;
}

static int fill(const char *label, size_t bytes)
{
	uint8_t block[4096];

	if (derive(label, block))
		return 1;
	for (size_t i = TSR_KEY_SIZE; i < sizeof(block); i += TSR_KEY_SIZE)
		memcpy(block + i, block, TSR_KEY_SIZE);
	for (size_t done = 0; done < bytes; done += sizeof(block)) {
		size_t part = bytes - done < sizeof(block) ? bytes - done : sizeof(block);

		if (fwrite(block, 1, part, stdout) != part) {
			perror("guest_key: writing");
			return 1;
		}
	}
	return fflush(stdout) ? 1 : 0;
}

static int hold(int nr, char **labels)
{
	static uint8_t keys[MAX_KEYS][TSR_KEY_SIZE];

	if (nr > MAX_KEYS || mlock(keys, sizeof(keys)))
		return 1;
	for (int i = 0; i < nr; i++)
		if (derive(labels[i], keys[i]))
			return 1;
	printf("holding %d keys\n", nr);
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "fill"))
		return fill(argv[2], strtoul(argv[3], NULL, 0));
	if (argc > 2 && !strcmp(argv[1], "hold"))
		return hold(argc - 2, argv + 2);
	fprintf(stderr, "usage: guest_key fill LABEL BYTES | hold LABEL...\n");
	return 2;
}
