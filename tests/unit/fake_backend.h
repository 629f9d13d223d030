/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * tesserad in a child process on a stand-in for /dev/tessera, and the guest's end of it in the test. "Mapping" a token puts pages of the
 * guest's memory over the daemon's window with mmap, revoking it puts the daemon's own back: what the hypervisor does with frames.
 */
#ifndef FAKE_BACKEND_H
#define FAKE_BACKEND_H

#include <stdbool.h>
#include <sys/types.h>
#include <tessera/block.h>
#include <tessera/host.h>

#define FAKE_QUEUES     2u
#define FAKE_DEPTH      8u
#define FAKE_DATA_PAGES 256u /* 32 for each id */
#define FAKE_EVENT      9u   /* of the control page; queue n has FAKE_EVENT + 1 + n */

struct fake_guest {
	uint8_t *memory;
	struct tsr_blk_control *control;
	uint32_t session;
	struct fake_queue {
		uint8_t *ring, *seals, *data;
		uint32_t sq_tail, cq_head;
	} queue[FAKE_QUEUES];
};

extern struct fake_guest guest;

/*
 * How the next daemon moves data; as main() would choose it by the medium and the hypervisor. With registered pages the file's I/O goes to the
 * pages that are mapped when a session starts, the guest's.
 */
extern enum tsr_backend_mode fake_mode;

/* How the next sessions ask for data to be moved. */
extern enum tsr_blk_mode fake_asks;

/* Of the run of guest memory at this address, in this session. */
struct tsr_token fake_token(const void *run);

/* In the daemon's process. */
int fake_map(void *context, const struct tsr_ioc_map *map);
int fake_maps(void *context, struct tsr_ioc_map *map, uint32_t count);
int fake_copy(void *context, const struct tsr_ioc_copy *copy);

/* The next daemon's copies find no memory but for each so-many-th; 0: all do. */
extern uint32_t fake_starves;

/* The next daemon's engine, by name. */
extern const char *fake_engine;

/* A counter of the last daemon's, over its queues; also after its end. */
uint64_t fake_counter(enum tsr_backend_counter counter);

/* False if this machine has no io_uring. */
bool fake_init(void);

/* Whether files there take direct I/O: not on tmpfs before Linux 6.6, for one. */
bool fake_direct_works(const char *path);

/* Starts tesserad on an image. */
void fake_start(const char *path, bool read_only);

/* Waits for the daemon to end by itself: its exit status. */
int fake_ends(void);

/* With SIGKILL; waits for its end. */
void fake_kill(void);

/* Sends a signal, as the daemon sees it; for SIGTERM waits for the end and returns the exit status. */
int fake_signal(int signal);

/* The guest ends; waits for the daemon's end and returns its exit status. */
int fake_guest_ends(void);

/* Fills the control page for a fresh session without sending it, so that a test can spoil it. */
void fake_prepare(void);

/* Sends the CONNECT event. */
void fake_connect(void);

/* Waits until the daemon answers in the control page: its state. */
uint32_t fake_answer(void);

/* fake_prepare, fake_connect, fake_answer. */
uint32_t fake_session(void);

/* Puts a request into a ring without telling anybody. Its data_page is id * 32 unless it moves no data. */
void fake_push(uint32_t queue, const struct tsr_blk_request *request);
void fake_doorbell(uint32_t queue);

/* Rings if the daemon asked for it. Returns whether it did. */
bool fake_notify(uint32_t queue, uint32_t old_tail);

/* The next completion; fails the test after 20 seconds. */
struct tsr_blk_completion fake_pop(uint32_t queue);
bool fake_completed(uint32_t queue);

/* Events raised since the last call, by number; waits for the first if wait. */
uint32_t fake_raised(uint32_t event, bool wait);

/* Takes the run at this address of guest memory back. */
void fake_revoke(const void *run);

struct tsr_seal *fake_seals(uint32_t queue, uint16_t id);
uint8_t *fake_data(uint32_t queue, uint16_t id);

#endif
