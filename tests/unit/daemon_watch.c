/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c */
/* sources: host-backend/daemon/queue.c host-backend/daemon/uring.c host-backend/daemon/medium.c host-backend/daemon/serve.c host-backend/daemon/session.c */
/* sources: host-backend/daemon/shared.c host-backend/daemon/watch.c host-backend/common/notify.c host-backend/daemon/window.c host-backend/daemon/place.c */
/* sources: host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c */
/* sources: host-backend/examples/memory.c proto/control.c proto/request.c tests/unit/fake_backend.c tests/unit/fake_moves.c */
/* libs: -luring -lpthread */
/* What hangs is said, and systemd's watchdog is told the truth: an engine that holds its caller, and one that answers nothing. */
#include "unit.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon_requests.h"
#include "host-backend/daemon/engine.h"

#define BLOCKS 200u
#define SOON   20000 /* ms: what is waited for comes long before */

static char name[64];
static int log_file, systemd;

enum { WORKS, HOLDS_THE_THREAD, ANSWERS_NOTHING };
static atomic_int *engine_does; /* shared with the daemon's process */

/* ------------------------------------------------------------------ the stuck engine */

static struct {
	struct image_io io; /* of the memory engine below it */
	pthread_mutex_t lock;
	pthread_t thread;
	struct engine_io *first;
	atomic_bool end;
} stuck = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int do_it(const struct engine_io *io)
{
	if (io->op == ENGINE_SYNC)
		return stuck.io.sync(io->context);
	if (io->op == ENGINE_WRITE)
		return stuck.io.write(io->context, io->data, io->size, io->offset) ? -EIO : (int)io->size;
	return stuck.io.read(io->context, io->data, io->size, io->offset) ? -EIO : (int)io->size;
}

static void *work(void *unused)
{
	while (!atomic_load(&stuck.end)) {
		struct engine_io *io = NULL;

		pthread_mutex_lock(&stuck.lock);
		if (stuck.first && atomic_load(engine_does) == WORKS) {
			io = stuck.first;
			stuck.first = io->next;
		}
		pthread_mutex_unlock(&stuck.lock);
		if (io)
			engine_done(io, do_it(io));
		else
			usleep(1000);
	}
	return unused;
}

static int stuck_open(struct image_io *io, const struct engine_where *where, struct image_error *error)
{
	int result = engine_find("memory")->open(&stuck.io, where, error);

	*io = stuck.io;
	return result ? result : -pthread_create(&stuck.thread, NULL, work, NULL);
}

static void stuck_close(void *context)
{
	atomic_store(&stuck.end, true);
	pthread_join(stuck.thread, NULL);
	engine_find("memory")->close(context);
}

static void stuck_submit(struct engine_io *io)
{
	while (atomic_load(engine_does) == HOLDS_THE_THREAD)
		usleep(1000);
	pthread_mutex_lock(&stuck.lock);
	io->next = stuck.first;
	stuck.first = io;
	pthread_mutex_unlock(&stuck.lock);
}

static const struct engine engine_stuck = { .name = "stuck", .help = "", .open = stuck_open, .close = stuck_close, .submit = stuck_submit };
ENGINE(stuck);

/* ------------------------------------------------------------------ tests */

static bool said(const char *text)
{
	static char buffer[65536];
	ssize_t n = pread(log_file, buffer, sizeof(buffer) - 1, 0);

	buffer[n > 0 ? n : 0] = '\0';
	return strstr(buffer, text);
}

static void wait_for(const char *text)
{
	for (int ms = 0; ms < SOON && !said(text); ms++)
		usleep(1000);
	assert_true(said(text));
}

/* Whether systemd hears from the daemon in that time. */
static bool heard(int ms)
{
	struct pollfd wait = { .fd = systemd, .events = POLLIN };
	char text[64] = "";

	if (poll(&wait, 1, ms) <= 0)
		return false;
	assert_int_equal(recv(systemd, text, sizeof(text), 0), 10);
	assert_memory_equal(text, "WATCHDOG=1", 10);
	return true;
}

static int setup(void **state)
{
	const struct engine_where where = { .name = name, .create = image_bytes(BLOCKS) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const uint8_t id[16] = { 3 };
	char log_name[] = "/tmp/tessera-watch-XXXXXX", socket_name[64];
	struct image_error error;
	struct image_io io;
	int before;

	(void)state;
	snprintf(name, sizeof(name), "tessera-watch-%d", getpid());
	assert_int_equal(engine_find("memory")->open(&io, &where, &error), 0);
	assert_int_equal(image_create(&io, BLOCKS, id, false, &error), 0);
	engine_find("memory")->close(io.context);
	engine_does = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	snprintf(socket_name, sizeof(socket_name), "@tessera-watch-%d", getpid());
	memcpy(address.sun_path + 1, socket_name + 1, strlen(socket_name) - 1);
	systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(systemd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(socket_name))), 0);
	setenv("NOTIFY_SOCKET", socket_name, 1);
	setenv("WATCHDOG_USEC", "200000", 1); /* a look each tenth of a second */

	log_file = mkstemp(log_name);
	unlink(log_name);
	before = dup(STDERR_FILENO);
	dup2(log_file, STDERR_FILENO);
	fake_engine = "stuck";
	if (fake_init())
		fake_start(name, false);
	dup2(before, STDERR_FILENO);
	close(before);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(log_file);
	close(systemd);
	munmap(engine_does, 4096);
	return shm_unlink(name);
}

static void begin_a_write(void)
{
	push_write(0, 3, 17, 4, 1, 0);
	fake_notify(0, guest.queue[0].sq_tail - 1);
}

static void a_thread_that_does_not_come_round_is_said_and_systemd_hears_nothing_more(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(recv(systemd, text, sizeof(text), 0), 20);
	assert_memory_equal(text, "WATCHDOG_USEC=200000", 20);
	assert_true(heard(SOON) && heard(SOON) && heard(SOON));
	atomic_store(engine_does, HOLDS_THE_THREAD);
	begin_a_write();
	wait_for("queue 0: its thread has not come round");
	while (heard(0))
		;
	assert_false(heard(1000));
	assert_false(said("queue 1"));
	atomic_store(engine_does, WORKS);
	assert_int_equal(fake_pop(0).status, TSR_BLK_OK);
	wait_for("queue 0: its thread comes round again");
	assert_true(heard(SOON));
	assert_int_equal(fake_guest_ends(), 0);
}

static void a_medium_that_answers_nothing_is_said_and_is_no_reason_to_end_the_daemon(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_true(recv(systemd, text, sizeof(text), 0) > 0);
	atomic_store(engine_does, ANSWERS_NOTHING);
	begin_a_write();
	wait_for("none of 1 requests has ended");
	while (heard(0))
		;
	assert_true(heard(SOON) && heard(SOON));
	atomic_store(engine_does, WORKS);
	assert_int_equal(fake_pop(0).status, TSR_BLK_OK);
	wait_for("queue 0: the medium answers again");
	assert_false(said("come round"));
	assert_int_equal(fake_guest_ends(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_thread_that_does_not_come_round_is_said_and_systemd_hears_nothing_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_medium_that_answers_nothing_is_said_and_is_no_reason_to_end_the_daemon, setup, teardown),
	};

	return fake_init() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
