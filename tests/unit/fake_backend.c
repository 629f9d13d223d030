/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "unit.h"
#include "fake_backend.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/serve.h"
#include "host-backend/daemon/shared.h"
#include "host-backend/image/file.h"
#include "proto/ring.h"

#define PAGE        4096u
#define QUEUE_PAGES (TSR_RING_PAGES(FAKE_DEPTH) + TSR_BLK_SEAL_PAGES(FAKE_DEPTH) + FAKE_DATA_PAGES)
#define PAGES       (1 + FAKE_QUEUES * QUEUE_PAGES)
#define MAPPINGS    64

struct fake_guest guest;
enum tsr_backend_mode fake_mode = TSR_BACKEND_COPY;
const char *fake_engine = "file";
enum tsr_blk_mode fake_asks;
static struct tsr_backend_page *counted; /* shared between the test and the daemon */

enum command { DOORBELL, REVOKE };
struct message {
	enum command command;
	uint32_t value; /* queue, or first page of the run */
};

static int guest_fd;
static int events[2], signals[2], raised[2], commands[2], done[2]; /* pipes between the test and the daemon */
static pid_t child;
static bool connected; /* this daemon has had a session */
static uint32_t pending[TSR_MAX_EVENTS];

/* ------------------------------------------------------------------ the daemon's process */

static struct {
	int own_fd;
	uint64_t own_size;
	uint8_t *window[WINDOW_MAX];
	uint32_t windows;
	int doorbell[FAKE_QUEUES];
	struct {
		uint32_t page, pages, generation;
		uint8_t *address;
		uint64_t own_offset;
	} mapping[MAPPINGS];
	pthread_mutex_t lock;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *fake_memory(void *context, size_t size)
{
	void *memory;

	(void)context;
	if (ftruncate(fake.own_fd, fake.own_size + size))
		return MAP_FAILED;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fake.own_fd, fake.own_size);
	fake.own_size += size;
	return memory;
}

static int fake_window(void *context, void *address, size_t size)
{
	(void)context;
	if (size != WINDOW_SIZE)
		return -EINVAL;
	fake.window[fake.windows] = address;
	return fake.windows++;
}

int fake_map(void *context, const struct tsr_ioc_map *map)
{
	int result = -ENOSPC;

	(void)context;
	if (map->token.generation != map->session || map->token.slot + map->pages > PAGES ||
	    (map->how == TSR_HOW_MAP && map->dir != TSR_DIR_BOTH))
		return -ESTALE;
	pthread_mutex_lock(&fake.lock);
	for (int i = 0; i < MAPPINGS && result; i++) {
		if (fake.mapping[i].pages)
			continue;
		fake.mapping[i].page = map->token.slot;
		fake.mapping[i].pages = map->pages;
		fake.mapping[i].generation = map->token.generation;
		fake.mapping[i].address = fake.window[map->window] + map->offset;
		fake.mapping[i].own_offset = (uint64_t)map->window * WINDOW_SIZE + map->offset;
		mmap(fake.mapping[i].address, map->pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, guest_fd,
		     (uint64_t)map->token.slot * PAGE);
		result = 0;
	}
	pthread_mutex_unlock(&fake.lock);
	return result;
}

static int unmap_run(uint32_t page)
{
	int result = -ESTALE;

	pthread_mutex_lock(&fake.lock);
	for (int i = 0; i < MAPPINGS; i++) {
		if (!fake.mapping[i].pages || fake.mapping[i].page != page)
			continue;
		mmap(fake.mapping[i].address, fake.mapping[i].pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fake.own_fd,
		     fake.mapping[i].own_offset);
		fake.mapping[i].pages = 0;
		result = 0;
	}
	pthread_mutex_unlock(&fake.lock);
	return result;
}

static int fake_unmap(void *context, const struct tsr_token *token)
{
	(void)context;
	return unmap_run(token->slot);
}

static int fake_bind(void *context, uint32_t queue, int eventfd)
{
	(void)context;
	fake.doorbell[queue] = eventfd;
	return 0;
}

static int fake_raise(void *context, uint32_t event)
{
	(void)context;
	return write(raised[1], &event, sizeof(event)) == sizeof(event) ? 0 : -EIO;
}

static const struct backend_ops fake_ops = {
	.memory = fake_memory,
	.window = fake_window,
	.map = fake_map,
	.maps = fake_maps,
	.copy = fake_copy,
	.unmap = fake_unmap,
	.doorbell = fake_bind,
	.raise = fake_raise,
};

static void *obey(void *unused)
{
	struct message message;
	const uint64_t one = 1;

	while (read(commands[0], &message, sizeof(message)) == sizeof(message)) {
		if (message.command == DOORBELL && fake.doorbell[message.value] >= 0 &&
		    write(fake.doorbell[message.value], &one, sizeof(one)) < 0)
			abort();
		if (message.command == REVOKE)
			unmap_run(message.value);
		if (write(done[1], "", 1) != 1)
			abort();
	}
	return unused;
}

static void waiting(const char *path)
{
	log_line("waiting for %s", path);
}

/* Only the file engine's context is an image_file; other modes are its. */
static bool choose(struct medium *medium, const struct image *image, bool read_only)
{
	*medium = (struct medium){ .mode = fake_mode };
	return fake_mode == TSR_BACKEND_COPY || image_file_direct(image->io.context, read_only, image->store.super.slots) == 0;
}

static int daemon_main(const char *path, bool read_only)
{
	const struct engine *engine = engine_find(fake_engine);
	struct engine_where where = { .name = path, .read_only = read_only, .waiting = waiting };
	static struct image image;
	static struct disk disk;
	static struct session session;
	struct image_error error = { "no such engine" };
	struct medium medium;
	struct image_io io;
	struct backend backend = { .ops = &fake_ops, .fd = events[0], .command = -1 };
	pthread_t thread;
	int result;

	if (!shared_init() || !engine || engine->open(&io, &where, &error) || image_load(&image, &io, read_only, &error)) {
		log_line("%s", error.text);
		return 100;
	}
	if (!choose(&medium, &image, read_only))
		return 102;
	fake.own_fd = memfd_create("own", MFD_CLOEXEC);
	for (uint32_t i = 0; i < FAKE_QUEUES; i++)
		fake.doorbell[i] = -1;
	disk_init(&disk, &image, engine, &medium, counted);
	session_init(&session, &disk, &backend);
	pthread_create(&thread, NULL, obey, NULL);
	result = serve(&session, signals[0]);
	session_fini(&session);
	if (image_close(&image))
		result = 101;
	engine->close(io.context);
	__lsan_do_leak_check();
	return result;
}

/* ------------------------------------------------------------------ the test's process */

bool fake_init(void)
{
	struct io_uring ring;

	if (io_uring_queue_init(2, &ring, 0))
		return false;
	io_uring_queue_exit(&ring);
	counted = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	guest_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(guest_fd, PAGES * PAGE), 0);
	guest.memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, guest_fd, 0);
	guest.control = (struct tsr_blk_control *)guest.memory;
	for (uint32_t i = 0; i < FAKE_QUEUES; i++) {
		guest.queue[i].ring = guest.memory + PAGE * (1 + i * QUEUE_PAGES);
		guest.queue[i].seals = guest.queue[i].ring + PAGE * TSR_RING_PAGES(FAKE_DEPTH);
		guest.queue[i].data = guest.queue[i].seals + PAGE * TSR_BLK_SEAL_PAGES(FAKE_DEPTH);
	}
	return true;
}

bool fake_direct_works(const char *path)
{
	struct image_error error;
	struct image_file file;
	bool works = image_file_create(path, 1, NULL, &error) == 0 && image_file_open(&file, path, false, NULL, &error) == 0;

	if (works) {
		works = image_file_direct(&file, false, image_slots(1)) == 0;
		image_file_close(&file);
	}
	unlink(path);
	return works;
}

static void close_pipes(void)
{
	int *pipes[] = { events, signals, raised, commands, done };

	for (size_t i = 0; i < 5; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

void fake_start(const char *path, bool read_only)
{
	assert_int_equal(pipe(events) | pipe(signals) | pipe(raised) | pipe(commands) | pipe(done), 0);
	memset(pending, 0, sizeof(pending));
	connected = false;
	memset(counted, 0, PAGE);
	child = fork();
	if (child == 0) {
		close(commands[1]);
		_exit(daemon_main(path, read_only));
	}
}

uint64_t fake_counter(enum tsr_backend_counter counter)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < FAKE_QUEUES; i++)
		sum += __atomic_load_n(&counted->counter[i][counter], __ATOMIC_RELAXED);
	return sum;
}

static int wait_child(void)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	close_pipes();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int fake_ends(void)
{
	return wait_child();
}

void fake_kill(void)
{
	kill(child, SIGKILL);
	assert_int_equal(wait_child(), -SIGKILL);
}

int fake_signal(int signal)
{
	struct signalfd_siginfo info = { .ssi_signo = signal };

	assert_int_equal(write(signals[1], &info, sizeof(info)), sizeof(info));
	return signal == SIGTERM ? wait_child() : 0;
}

static void send_event(const struct tsr_backend_event *event)
{
	assert_int_equal(write(events[1], event, sizeof(*event)), sizeof(*event));
}

int fake_guest_ends(void)
{
	send_event(&(struct tsr_backend_event){ .type = TSR_BACKEND_ENDED });
	return wait_child();
}

struct tsr_token fake_token(const void *run)
{
	return (struct tsr_token){ .slot = ((const uint8_t *)run - guest.memory) / PAGE, .generation = guest.session };
}

static void command(enum command what, uint32_t value)
{
	struct message message = { .command = what, .value = value };
	char byte;

	assert_int_equal(write(commands[1], &message, sizeof(message)), sizeof(message));
	assert_int_equal(read(done[0], &byte, 1), 1);
}

void fake_revoke(const void *run)
{
	command(REVOKE, ((const uint8_t *)run - guest.memory) / PAGE);
}

static void revoke_all(void)
{
	fake_revoke(guest.control);
	for (uint32_t i = 0; i < FAKE_QUEUES; i++) {
		fake_revoke(guest.queue[i].ring);
		fake_revoke(guest.queue[i].seals);
		fake_revoke(guest.queue[i].data);
	}
}

/* As a front-end does it: the old session's pages are revoked before they are used for anything else. */
void fake_prepare(void)
{
	if (connected)
		revoke_all();
	memset(guest.memory, 0, PAGES * PAGE);
	guest.session++;
	*guest.control = (struct tsr_blk_control){
		.magic = TSR_BLK_MAGIC,
		.version = TSR_BLK_VERSION,
		.session = guest.session,
		.queues = FAKE_QUEUES,
		.depth = FAKE_DEPTH,
		.data_pages = FAKE_DATA_PAGES,
		.event = FAKE_EVENT,
		.mode = fake_asks,
	};
	for (uint32_t i = 0; i < FAKE_QUEUES; i++) {
		struct tsr_blk_queue *queue = &guest.control->queue[i];

		queue->ring = fake_token(guest.queue[i].ring);
		queue->seal = fake_token(guest.queue[i].seals);
		if (fake_asks != TSR_BLK_STRICT)
			queue->data = fake_token(guest.queue[i].data);
		queue->event = FAKE_EVENT + 1 + i;
		guest.queue[i].sq_tail = guest.queue[i].cq_head = 0;
	}
}

void fake_connect(void)
{
	connected = true;
	send_event(&(struct tsr_backend_event){
		.type = TSR_BACKEND_CONNECT, .session = guest.session, .token = fake_token(guest.control) });
}

/* Waits up to 20 seconds for the next raised event and notes it. */
static void take_event(int timeout)
{
	struct pollfd wait = { .fd = raised[0], .events = POLLIN };
	uint32_t event;

	if (poll(&wait, 1, timeout) == 0) {
		if (timeout)
			fail_msg("no event for %d ms", timeout);
		return;
	}
	assert_int_equal(read(raised[0], &event, sizeof(event)), sizeof(event));
	assert_true(event < TSR_MAX_EVENTS);
	pending[event]++;
}

uint32_t fake_raised(uint32_t event, bool wait)
{
	uint32_t count;
	struct pollfd more = { .fd = raised[0], .events = POLLIN };

	while (poll(&more, 1, 0) > 0)
		take_event(0);
	while (wait && !pending[event])
		take_event(20000);
	count = pending[event];
	pending[event] = 0;
	return count;
}

uint32_t fake_answer(void)
{
	while (__atomic_load_n(&guest.control->state, __ATOMIC_ACQUIRE) == TSR_BLK_BACKEND_NONE)
		fake_raised(FAKE_EVENT, true);
	return guest.control->state;
}

uint32_t fake_session(void)
{
	fake_prepare();
	fake_connect();
	return fake_answer();
}

static struct tsr_ring_header *header(uint32_t queue)
{
	return (struct tsr_ring_header *)guest.queue[queue].ring;
}

void fake_push(uint32_t queue, const struct tsr_blk_request *request)
{
	struct fake_queue *q = &guest.queue[queue];

	memcpy(q->ring + tsr_ring_sq_at(q->sq_tail, FAKE_DEPTH), request, sizeof(*request));
	q->sq_tail++;
	__atomic_store_n(&header(queue)->sq_tail, q->sq_tail, __ATOMIC_RELEASE);
}

void fake_doorbell(uint32_t queue)
{
	command(DOORBELL, queue);
}

bool fake_notify(uint32_t queue, uint32_t old_tail)
{
	bool due;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	due = tsr_ring_need_event(__atomic_load_n(&header(queue)->sq_event, __ATOMIC_ACQUIRE), guest.queue[queue].sq_tail, old_tail);
	if (due)
		fake_doorbell(queue);
	return due;
}

bool fake_completed(uint32_t queue)
{
	return __atomic_load_n(&header(queue)->cq_tail, __ATOMIC_ACQUIRE) != guest.queue[queue].cq_head;
}

struct tsr_blk_completion fake_pop(uint32_t queue)
{
	struct fake_queue *q = &guest.queue[queue];
	struct tsr_blk_completion completion;

	while (!fake_completed(queue)) {
		__atomic_store_n(&header(queue)->cq_event, q->cq_head, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!fake_completed(queue))
			take_event(20000);
	}
	memcpy(&completion, q->ring + tsr_ring_cq_at(q->cq_head, FAKE_DEPTH), sizeof(completion));
	q->cq_head++;
	__atomic_store_n(&header(queue)->cq_head, q->cq_head, __ATOMIC_RELEASE);
	return completion;
}

struct tsr_seal *fake_seals(uint32_t queue, uint16_t id)
{
	return (struct tsr_seal *)(guest.queue[queue].seals + id * TSR_BLK_SEAL_SLOT);
}

uint8_t *fake_data(uint32_t queue, uint16_t id)
{
	return guest.queue[queue].data + id * 32u * PAGE;
}
