/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c host-backend/daemon/queue.c host-backend/daemon/uring.c */
/* sources: host-backend/daemon/medium.c host-backend/daemon/session.c host-backend/daemon/shared.c host-backend/daemon/window.c */
/* sources: host-backend/daemon/place.c host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c proto/control.c proto/request.c */
/* sources: host-backend/cli/config.c host-backend/cli/loader.c host-backend/cli/loader_bzimage.c host-backend/cli/loader_acpi.c */
/* libs: -luring -lpthread -ljansson -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=asprintf,--wrap=mmap */
/*
 * There is no memory: each allocation of daemon, images and command fails once, the others do not. What was begun is refused with a reason, nothing is
 * lost (the leak checker looks at the end), and the next try does it. [HOST-28]
 */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cli_kernel.h"
#include "host-backend/cli/config.h"
#include "host-backend/daemon/session.h"
#include "host-backend/daemon/shared.h"
#include "tests/fuzz/medium.h"

#define BLOCKS 64u

/* ------------------------------------------------------------------ allocations */

static unsigned calls, failing; /* the failing-th call from now on fails; 0: none */
static bool armed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap(void *address, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap(void *address, size_t size, int prot, int flags, int fd, off_t offset);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refused(void)
{
	if (!armed || ++calls != failing)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refused() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *address, size_t size, int prot, int flags, int fd, off_t offset)
{
	return refused() ? MAP_FAILED : __real_mmap(address, size, prot, flags, fd, offset);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	int length;

	if (refused())
		return -1;
	va_start(arguments, format);
	length = vasprintf(text, format, arguments);
	va_end(arguments);
	return length;
}

/* Does it with each allocation failing in turn; it says whether all was done. Returns how many there are. */
static unsigned each(bool (*it)(void))
{
	bool done = false;

	for (failing = 1; !done; failing++) {
		calls = 0;
		armed = true;
		done = it();
		armed = false;
		/* What failed was noticed, and without a failure there is none. */
		assert_int_equal(done, calls < failing);
		assert_true(failing < 10000);
	}
	assert_true(failing > 2);
	return failing - 2;
}

/* ------------------------------------------------------------------ images */

static struct image_io io;
static struct image_error why;
static const uint8_t id[16] = { 3 };

static bool said(int result)
{
	if (result)
		assert_true(why.text[0]);
	return result == 0;
}

static bool load_and_close(void)
{
	struct image image;

	why.text[0] = 0;
	return said(image_load(&image, &io, false, &why)) && image_close(&image) == 0;
}

static bool check(void)
{
	struct image_report report;

	why.text[0] = 0;
	return said(image_check(&io, NULL, &report, &why));
}

static bool repair(void)
{
	struct image_report report;

	why.text[0] = 0;
	return said(image_repair(&io, NULL, &report, &why));
}

static bool grow(void)
{
	uint64_t bytes;

	why.text[0] = 0;
	return said(image_grown_bytes(&io, 4 * BLOCKS, &bytes, &why)) && said(image_grow(&io, 4 * BLOCKS, true, &why));
}

static void images_are_refused_and_stay_as_they_are(void **state)
{
	struct tsr_seal seal = { .counter = 7, .epoch = 1 };
	uint8_t data[TSR_BLOCK_SIZE] = { 9 };
	struct image image;

	(void)state;
	medium_start(&io, 12u << 20);
	assert_int_equal(image_create(&io, BLOCKS, id, false, &why), 0);
	assert_int_equal(image_load(&image, &io, false, &why), 0);
	assert_int_equal(image_write(&image, 5, 1, &seal, data), 0);
	assert_int_equal(image_close(&image), 0);
	print_message("load %u, check %u, repair %u, grow %u allocations\n", each(load_and_close), each(check), each(repair), each(grow));
	assert_int_equal(image_load(&image, &io, true, &why), 0);
	memset(data, 0, sizeof(data));
	assert_int_equal(image_read(&image, 5, &seal, data), 0);
	assert_int_equal(seal.counter, 7);
	assert_int_equal(data[0], 9);
	assert_int_equal(image.store.super.blocks, 4 * BLOCKS);
	image_drop(&image);
}

static char path[128];

static bool open_file(void)
{
	const struct engine *engine = engine_find("file");
	struct engine_where where = { .name = path };
	struct image_io opened;
	struct medium how;

	why.text[0] = 0;
	if (!said(engine->open(&opened, &where, &why)))
		return false;
	engine->medium(opened.context, &how, false, image_slots(BLOCKS), true, false);
	engine->close(opened.context);
	return calls < failing; /* without memory to try direct I/O it does without */
}

static void a_file_is_opened_or_refused(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/daemon_memory.%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid());
	assert_int_equal(image_file_create(path, BLOCKS, NULL, &why), 0);
	print_message("open %u allocations\n", each(open_file));
	unlink(path);
}

/* ------------------------------------------------------------------ sessions */

static struct session session;
static struct disk disk;
static struct image image;
static struct tsr_backend_page page;
static struct tsr_blk_control control;
static int mapped, raised;
static uint8_t *window[WINDOW_MAX];

static void *op_memory(void *context, size_t size)
{
	void *memory = refused() ? MAP_FAILED : __real_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)context;
	return memory;
}

static int windows;

static int op_window(void *context, void *address, size_t size)
{
	(void)context;
	(void)size;
	window[windows] = address;
	return windows++;
}

static int op_map(void *context, const struct tsr_ioc_map *map)
{
	uint8_t *at = window[map->window] + map->offset;

	(void)context;
	memset(at, 0, map->pages * (size_t)TSR_PAGE_SIZE);
	if (mapped++ == 0)
		memcpy(at, &control, sizeof(control));
	return 0;
}

static int op_unmap(void *context, const struct tsr_token *token)
{
	(void)context;
	(void)token;
	mapped--;
	return 0;
}

static int op_doorbell(void *context, uint32_t queue, int eventfd)
{
	(void)context;
	(void)queue;
	(void)eventfd;
	return 0;
}

static int op_raise(void *context, uint32_t event)
{
	(void)context;
	(void)event;
	raised++;
	return 0;
}

static const struct backend_ops ops = {
	.memory = op_memory, .window = op_window, .map = op_map, .unmap = op_unmap, .doorbell = op_doorbell, .raise = op_raise,
};
static const struct backend backend = { .ops = &ops, .command = -1, .fd = -1 };

static bool connect_guest(void)
{
	struct tsr_backend_event event = { .type = TSR_BACKEND_CONNECT, .session = control.session, .token = { .generation = 1 } };
	bool ready;

	windows = 0;
	assert_int_equal(session_init(&session, &disk, &backend), 0);
	session_connect(&session, &event);
	armed = false;
	ready = session.open && session.control->state == TSR_BLK_BACKEND_READY;
	/* The guest is told, or waits for what is tried again in a second. */
	if (session.open) {
		assert_true(raised > 0 && session.control->state != TSR_BLK_BACKEND_NONE);
	} else {
		assert_int_equal(mapped, 0);
		event = session.again;
		assert_int_equal(event.type, TSR_BACKEND_CONNECT);
		session_connect(&session, &event);
		assert_true(session.open && session.control->state == TSR_BLK_BACKEND_READY);
	}
	assert_int_equal(session.queues, session.control->state == TSR_BLK_BACKEND_READY ? control.queues : 0);
	session_fini(&session);
	assert_int_equal(mapped, 0);
	return ready;
}

static void a_session_is_refused_and_the_next_one_opens(void **state)
{
	struct medium how = { .mode = TSR_BACKEND_COPY };
	struct image_file file = { .fd = open("/dev/null", O_RDWR), .direct = -1 };
	struct io_uring ring;

	(void)state;
	if (io_uring_queue_init(2, &ring, 0))
		skip();
	io_uring_queue_exit(&ring);
	assert_true(shared_init());
	assert_int_equal(image_load(&image, &io, false, &why), 0);
	image.io.context = &file; /* the engine's own: of a file that nobody reads */
	disk_init(&disk, &image, engine_find("file"), &how, &page);
	control = (struct tsr_blk_control){
		.magic = TSR_BLK_MAGIC, .version = TSR_BLK_VERSION, .session = 4, .queues = 2, .depth = 8, .data_pages = 512, .event = 1,
	};
	for (uint32_t i = 0; i < control.queues; i++)
		control.queue[i].ring.generation = control.queue[i].seal.generation = control.queue[i].data.generation = 1;
	print_message("connect %u allocations\n", each(connect_guest));
	image_drop(&image);
	close(file.fd);
}

/* ------------------------------------------------------------------ the command */

static bool parse(void)
{
	struct config_error error = { "" };
	struct config config;

	if (config_parse(&config, "{ \"name\": \"demo\", \"memory\": \"512M\", \"vcpus\": 2, \"console-input\": true, \"disks\": "
				  "[ { \"label\": \"data\", \"image\": \"x\", \"read-only\": true, \"bounce\": \"always\" }, { \"label\": \"b\" } ] }", "it", &error)) {
		assert_true(error.text[0]);
		return false;
	}
	config_free(&config);
	return true;
}

static void a_guests_file_is_refused(void **state)
{
	(void)state;
	json_set_alloc_funcs(__wrap_malloc, free);
	print_message("parse %u allocations\n", each(parse));
}

static struct test_kernel kernel;

static bool build(void)
{
	struct loader_linux in = { .kernel = kernel_file(&kernel), .command_line = "quiet", .mem_pages = 16384, .vcpus = 2 };
	struct loader_contents contents;
	struct loader_error error = { "" };

	if (!loader_build_linux(&contents, &in, &error)) {
		assert_true(error.text[0] && !contents.segments);
		return false;
	}
	loader_free(&contents);
	return true;
}

static void a_guests_contents_are_refused(void **state)
{
	(void)state;
	good_kernel(&kernel);
	print_message("build %u allocations\n", each(build));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_refused_and_stay_as_they_are),
		cmocka_unit_test(a_file_is_opened_or_refused),
		cmocka_unit_test(a_session_is_refused_and_the_next_one_opens),
		cmocka_unit_test(a_guests_file_is_refused),
		cmocka_unit_test(a_guests_contents_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
