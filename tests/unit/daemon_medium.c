/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/medium.c host-backend/daemon/log.c host-backend/image/[a-z]*.c */
/* Which media get a private copy of what is written: read from a sysfs that the test has made. */
#include "unit.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "host-backend/daemon/medium.h"

static char top[128];

static void make_directory(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	for (char *slash = path + strlen(top) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	mkdir(path, 0700);
}

static void make_file(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void make_link(const char *to, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(symlink(to, path), 0);
}

/* stable: contents of stable_writes, or NULL for none. */
static void make_disk(const char *name, const char *number, const char *stable)
{
	char path[256], to[256];

	snprintf(path, sizeof(path), "devices/%s/queue", name);
	make_directory(path);
	if (stable) {
		snprintf(path, sizeof(path), "devices/%s/queue/stable_writes", name);
		make_file(path, stable);
	}
	make_directory("dev/block");
	snprintf(path, sizeof(path), "dev/block/%s", number);
	snprintf(to, sizeof(to), "../../devices/%s", name);
	make_link(to, path);
}

static void put_on(const char *upper, const char *lower)
{
	char path[256], to[256];

	snprintf(path, sizeof(path), "devices/%s/slaves", upper);
	make_directory(path);
	snprintf(path, sizeof(path), "devices/%s/slaves/%s", upper, strrchr(lower, '/') ? strrchr(lower, '/') + 1 : lower);
	snprintf(to, sizeof(to), "../../../devices/%s", lower);
	make_link(to, path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "%s/daemon_medium.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(top));
	return 0;
}

static int teardown(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

/* [BLK-27] */
static void a_disk_says_whether_pages_must_stay_as_they_are(void **state)
{
	(void)state;
	make_disk("nvme0n1", "259:0", "0\n");
	make_disk("sdb", "8:16", "1\n");
	make_disk("old", "8:32", NULL);
	assert_int_equal(medium_of_device(top, makedev(259, 0)), MEDIUM_PLAIN);
	assert_int_equal(medium_of_device(top, makedev(8, 16)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(8, 32)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(9, 9)), MEDIUM_UNKNOWN);
}

/* [BLK-27] */
static void a_partition_is_like_its_disk(void **state)
{
	(void)state;
	make_disk("sda", "8:0", "0");
	make_disk("sdb", "8:16", "1");
	make_directory("devices/sda/sda1");
	make_directory("devices/sdb/sdb1");
	make_link("../../devices/sda/sda1", "dev/block/8:1");
	make_link("../../devices/sdb/sdb1", "dev/block/8:17");
	assert_int_equal(medium_of_device(top, makedev(8, 1)), MEDIUM_PLAIN);
	assert_int_equal(medium_of_device(top, makedev(8, 17)), MEDIUM_STABLE);
}

/* [BLK-27] NBD, iSCSI, and NVMe over TCP by one controller and by a subsystem's; on PCI Express it is a disk like others. */
static void what_goes_over_a_network_is_checksummed(void **state)
{
	(void)state;
	make_disk("nbd0", "43:0", "0");
	make_file("devices/nbd0/pid", "77");
	make_disk("nvme1n1", "259:1", "0");
	make_directory("devices/nvme1n1/device");
	make_file("devices/nvme1n1/device/transport", "tcp");
	make_disk("nvme2n1", "259:2", "0");
	make_directory("devices/nvme2n1/device/nvme2");
	make_directory("devices/nvme2n1/device/nvme3");
	make_file("devices/nvme2n1/device/nvme2/transport", "pcie");
	make_file("devices/nvme2n1/device/nvme3/transport", "tcp");
	make_disk("nvme0n1", "259:0", "0");
	make_directory("devices/nvme0n1/device");
	make_file("devices/nvme0n1/device/transport", "pcie");
	make_directory("devices/nbd0/nbd0p1");
	make_file("devices/nbd0/nbd0p1/partition", "1");
	make_link("../../devices/nbd0/nbd0p1", "dev/block/43:1");
	make_directory("devices/host3/session1");
	make_disk("host3/session1/sdc", "8:48", "0");
	assert_int_equal(medium_of_device(top, makedev(8, 48)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(43, 0)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(43, 1)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(259, 1)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(259, 2)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(259, 0)), MEDIUM_PLAIN);
}

/* [BLK-27] */
static void what_lies_below_counts_too(void **state)
{
	(void)state;
	make_disk("nvme0n1", "259:0", "0");
	make_disk("sdb", "8:16", "1");
	make_directory("devices/sdb/sdb1");
	make_disk("dm-0", "253:0", "0");
	make_disk("dm-1", "253:1", "0");
	make_disk("md0", "9:0", "0");
	put_on("dm-0", "nvme0n1");
	put_on("dm-1", "md0");
	put_on("md0", "nvme0n1");
	put_on("md0", "sdb/sdb1");
	assert_int_equal(medium_of_device(top, makedev(253, 0)), MEDIUM_PLAIN);
	assert_int_equal(medium_of_device(top, makedev(9, 0)), MEDIUM_STABLE);
	assert_int_equal(medium_of_device(top, makedev(253, 1)), MEDIUM_STABLE);
}

static void loop_devices_are_not_direct(void **state)
{
	(void)state;
	make_disk("loop0", "7:0", "0");
	make_directory("devices/loop0/loop");
	make_file("devices/loop0/loop/backing_file", "/a\n");
	make_disk("dm-0", "253:0", "0");
	put_on("dm-0", "loop0");
	assert_int_equal(medium_of_device(top, makedev(7, 0)), MEDIUM_UNKNOWN);
	assert_int_equal(medium_of_device(top, makedev(253, 0)), MEDIUM_UNKNOWN);
}

static void a_circle_ends(void **state)
{
	(void)state;
	make_disk("dm-0", "253:0", "0");
	make_disk("dm-1", "253:1", "0");
	put_on("dm-0", "dm-1");
	put_on("dm-1", "dm-0");
	assert_int_equal(medium_of_device(top, makedev(253, 0)), MEDIUM_UNKNOWN);
}

/* [BLK-27] */
static void a_file_is_judged_by_its_file_system_first(void **state)
{
	char path[256], number[64];
	struct stat status;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/image", top);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	snprintf(number, sizeof(number), "%u:%u", major(status.st_dev), minor(status.st_dev));
	make_disk("below", number, "0");
	assert_int_equal(medium_of_file(top, fd, BTRFS_SUPER_MAGIC), MEDIUM_STABLE);
	assert_int_equal(medium_of_file(top, fd, 0x58465342), MEDIUM_PLAIN); /* XFS */
	assert_int_equal(medium_of_file(top, fd, TMPFS_MAGIC), MEDIUM_UNKNOWN);
	assert_int_equal(medium_of_file(top, fd, NFS_SUPER_MAGIC), MEDIUM_UNKNOWN);
	make_file("devices/below/queue/stable_writes", "1");
	assert_int_equal(medium_of_file(top, fd, 0x58465342), MEDIUM_STABLE);
	close(fd);
}

/* [BLK-26] */
static void without_an_iommu_everything_is_copied(void **state)
{
	struct image_file file = { .fd = 7, .guard = -1, .direct = -1 };
	struct medium medium;

	(void)state;
	medium_choose(&medium, &file, false, 1024, false, false);
	assert_int_equal(medium.mode, TSR_BACKEND_COPY);
	assert_int_equal(medium.reason, TSR_BACKEND_WHY_NO_IOMMU);
	assert_int_equal(file.direct, -1);
}

/* [STORE-7] A killed process's requests hold the one or the other. */
static void the_lock_lasts_as_long_as_either_descriptor(void **state)
{
	struct image_file file, other;
	struct image_error error;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/image", top);
	assert_int_equal(image_file_create(path, 8, NULL, &error), 0);
	for (int which = 0; which < 2; which++) {
		assert_int_equal(image_file_open(&file, path, false, NULL, &error), 0);
		if (image_file_direct(&file, false, image_slots(8))) {
			image_file_close(&file);
			skip();
		}
		assert_int_not_equal(image_file_open(&other, path, false, NULL, &error), 0);
		close(which ? file.fd : file.direct);
		*(which ? &file.fd : &file.direct) = -1;
		assert_int_not_equal(image_file_open(&other, path, false, NULL, &error), 0);
		image_file_close(&file);
		assert_int_equal(image_file_open(&other, path, false, NULL, &error), 0);
		image_file_close(&other);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_disk_says_whether_pages_must_stay_as_they_are),
		TEST(a_partition_is_like_its_disk),
		TEST(what_goes_over_a_network_is_checksummed),
		TEST(what_lies_below_counts_too),
		TEST(loop_devices_are_not_direct),
		TEST(a_circle_ends),
		TEST(a_file_is_judged_by_its_file_system_first),
		TEST(without_an_iommu_everything_is_copied),
		TEST(the_lock_lasts_as_long_as_either_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
