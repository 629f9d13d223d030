/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the hypervisor tells the host about the machine, a "NAME VALUE" a line: for tests, which count with it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <tessera/host.h>

#define SHOW(what) printf("%s %llu\n", #what, (unsigned long long)info.what)

int main(void)
{
	static const char *const names[] = {
#define X(name, text) #name,
		TSR_COUNTERS(X)
#undef X
	};
	struct tsr_info info;
	int fd = open(TSR_HOST_DEVICE, O_RDWR);

	if (fd < 0 || ioctl(fd, TSR_IOC_INFO, &info) < 0) {
		fprintf(stderr, "host_info: %s: %s\n", TSR_HOST_DEVICE, strerror(errno));
		return 1;
	}
	SHOW(features);
	SHOW(cpus);
	SHOW(guests);
	SHOW(tokens);
	SHOW(development);
	SHOW(census.hypervisor);
	SHOW(census.host);
	SHOW(census.guests);
	SHOW(census.tables);
	SHOW(census.displaced);
	SHOW(census.windows);
	SHOW(hv_base_pfn);
	SHOW(hv_pages);
	for (int i = 0; i < TSR_COUNTER_NR; i++)
		printf("%s %llu\n", names[i], (unsigned long long)info.counters[i]);
	return 0;
}
