/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Between the files of tessera_blk.ko.
 *
 * Who does what: queue_rqs (blk_disk.c) only puts requests on a queue's list. A queue's worker (blk_queue.c) does everything with its
 * ring: claims blocks, seals, submits, takes completions, opens. The device's thread (blk_session.c, blk_attach.c) opens and
 * closes sessions while the workers keep off, reads and writes the disk's header, formats. Neither allocates once the disk is
 * attached, since writeback may be waiting for them.
 *
 * A disk's mode (spec/block.md) holds for a session. In strict mode the worker asks for a token for each request before it is pushed, and
 * revokes it before it looks at what came back: blk_strict.c.
 *
 * Locks: blk_queue.mutex (worker and thread), then blk_queue.lock (queue_rq). The freshness words are claimed without a lock.
 */
#ifndef TSR_GUEST_BLK_H
#define TSR_GUEST_BLK_H

#include <crypto/aead.h>
#include <linux/bitmap.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <tessera/block.h>
#include "proto/aegis.h"
#include "proto/disk.h"
#include "proto/seal.h"
#include "proto/turns.h"
#include "blk_cursor.h"
#include "tessera_bus.h"

#define BLK_DEPTH     64u /* of each ring */
#define BLK_POOL_MAX  TSR_TOKEN_MAX_PAGES
#define BLK_POOL_MIN  TSR_BLK_DIRECT_BLOCKS
#define BLK_KEYS      4u  /* epochs' keys that a queue keeps */
#define BLK_STRETCH   32u /* blocks that are sealed or opened without a break, of one request or several */
#define BLK_OWN       32u /* requests of the thread's own at once */

struct blk;

/* A request: of the block layer (in its pdu) or of the device's thread. */
struct blk_req {
	struct list_head node;
	struct request *rq;  /* NULL: the thread's */
	void *header;        /* HEADER_*: TSR_HEADER_SIZE bytes of private memory */
	int result;          /* the thread's: -EINPROGRESS until done */
	u8 op;               /* enum tsr_blk_op */
	u8 flags;
	bool claimed;        /* owns its blocks' freshness words; stays so over sessions */
	u32 count;
	u64 block;
	u32 table;           /* in flight only: first page of its table, if it has one */
	u16 page[TSR_BLK_MAX_BLOCKS]; /* in flight only: of the data run */
	u64 before[TSR_BLK_MAX_BLOCKS]; /* claimed: the words before */
	u64 after[TSR_BLK_MAX_BLOCKS];  /* and when it succeeds */
};

/* One AEAD operation's working memory; everything that a scatterlist points to is from kmalloc. */
struct blk_aead {
	struct aead_request *req; /* AES_256_GCM only, like wait and the lists */
	struct crypto_wait wait;
	struct scatterlist from[3], to[3];
	u8 nonce[TSR_AEGIS_NONCE]; /* with what AES_256_GCM does not take of it zero */
	u8 tag[TSR_TAG_SIZE];
	u8 made[TSR_AEGIS_TAG]; /* AEGIS_128L, opening: the tag of what is there */
	struct tsr_seal_aad aad; /* a queue's: with the disk's part filled in once */
	u64 zero; /* behind aad, for AEGIS */
	struct tsr_seal seal; /* of the block that is being sealed or opened */
};

struct blk_key {
	struct crypto_aead *tfm; /* AES_256_GCM, else NULL */
	u8 bytes[TSR_AEGIS_KEY]; /* AEGIS_128L */
	u32 epoch; /* 0: none */
	u64 used;
};

/* Written by the worker or the thread with the queue's mutex held; read by anybody. */
struct blk_counters {
	u64 reads, writes, flushes, blocks, integrity_errors, resubmitted, in_flight, doorbells, sealed_bytes, opened_bytes;
	u64 granted, limit_waits; /* tokens of single requests; times that a limit made requests wait */
};

struct blk_queue {
	struct blk *blk;
	u32 index;
	int event;
	struct work_struct work;

	spinlock_t lock;           /* protects incoming */
	struct list_head incoming; /* from the block layer */

	struct mutex mutex;        /* protects everything below */
	bool live;                 /* a session is open; ring, seal and data are the backend's too */
	bool serving;              /* and the block layer's requests may be sent */
	bool broken;               /* the backend broke the rules in this session */
	bool claim_wait;           /* counted in blk.claim_waiters */
	struct list_head waiting;  /* from the block layer, in order */
	struct list_head own;      /* from the thread */
	struct blk_req *inflight[BLK_DEPTH];
	DECLARE_BITMAP(used, BLK_DEPTH);    /* slots with a request in flight */
	struct tsr_blk_completion done[BLK_DEPTH]; /* copies, while they are worked on */
	struct io_comp_batch batch;         /* of the block layer's: ended, to be told together */
	DECLARE_BITMAP(pool, BLK_POOL_MAX); /* data pages in use */
	struct tsr_run ring, seal, data;
	struct tsr_run shared;              /* what a session grants of data: its pages, or fewer if a limit has it so */
	struct tsr_run grant[BLK_DEPTH];    /* strict: of the request in this slot */
	struct tsr_turns granting;          /* strict: filled, and waiting for their tokens */
	DECLARE_BITMAP(sent, BLK_DEPTH);    /* pushed, and not completed */
	struct timer_list later;            /* a limit was reached: looks again */
	u32 sq_tail, sq_told, cq_head;
	struct tsr_blk_request named;       /* about to be pushed: the ring gets a copy. Reserved fields stay zero */

	void *bounce; /* two private blocks: for ciphertext that must not be shared memory, and for a text in pieces */
	struct blk_aead *aead;
	struct blk_cursor cursor; /* in the request that is being sealed or opened */
	u32 stretch;  /* blocks until the FPU is given back; 0: it is not ours */
	struct blk_key key[BLK_KEYS], *key_last;
	u64 key_clock;
	struct blk_counters count;
};

/* The header as the AEAD wants it: label and header in one piece. */
struct blk_header {
	u8 label[TSR_LABEL_SIZE];
	struct tsr_disk_header disk;
};

/* X(NAME, text in sysfs) */
#define BLK_STATES(X)                                                                          \
	X(AWAY, "backend-away")                                                                \
	X(CONNECTING, "connecting")                                                            \
	X(IN_USE, "disk-in-use")          /* by another live guest of this identity */         \
	X(BLANK, "blank")                 /* waits for "yes" in format */                      \
	X(INTERRUPTED, "format-interrupted") /* the same */                                    \
	X(INVALID, "header-invalid")      /* waits for "force" in format */                    \
	X(REFUSED, "refused")             /* waits for another disk: the log says why */       \
	X(FORMATTING, "formatting")                                                            \
	X(ATTACHED, "attached")
/* X(NAME, text in sysfs and for the module's parameter), in the order of enum tsr_blk_mode */
#define BLK_MODES(X)        \
	X(POOLED, "pooled") \
	X(STRICT, "strict") \
	X(COPIED, "copy")

#define BLK_STATE_ENUM(name, text) BLK_##name,
enum blk_state { BLK_STATES(BLK_STATE_ENUM) BLK_STATE_NR };
#undef BLK_STATE_ENUM

enum blk_format { BLK_FORMAT_NONE, BLK_FORMAT_YES, BLK_FORMAT_FORCE };

struct blk {
	struct tsr_device *tdev;
	struct task_struct *thread;
	struct workqueue_struct *wq;
	wait_queue_head_t wait; /* the thread's */
	atomic_t poked;
	enum blk_state state;
	bool removing;          /* what cannot be sent at once fails */

	enum tsr_blk_mode mode, mode_wanted; /* of this session, of the next */
	u32 session;            /* its number */
	bool limit_told;
	u32 nr_queues, data_pages;
	u32 pool_pages;         /* of data_pages, in this session */
	u32 max_blocks;         /* of a request */
	struct blk_queue *queue;
	struct tsr_run control;
	struct tsr_blk_control *answer; /* private copy of what the backend wrote */
	u32 change;             /* backend_change at the session's start */
	bool answered;          /* the backend has said READY */
	u64 sessions;
	int control_event;

	/* the disk; constant while attached */
	bool attached;
	bool reading;           /* the guest wants it read-only; constant */
	bool read_only;
	struct tsr_seal_disk disk;
	struct blk_header *header;  /* this attach's */
	struct blk_header *scratch;
	struct blk_aead *aead;      /* the thread's */
	struct blk_key header_key; /* epoch: 1 when it is there */
	u32 epoch;              /* of this attach; 0: none, nothing can be written */
	atomic64_t counter;     /* last one used in this epoch */
	u64 blocks;
	u64 *fresh;             /* NULL while formatting */
	atomic_t claim_waiters; /* queues whose first request waits for another's claim */
	struct blk_req own[BLK_OWN];

	struct gendisk *gendisk;
	struct blk_mq_tag_set tags;
	struct mutex add_lock;  /* protects scheduling add_work against removing */
	bool added, refused;    /* Linux has taken the disk, or not */
	u64 shown;              /* capacity, in blocks, that Linux was told */
	struct work_struct add_work;

	struct mutex format_lock; /* one writer of sysfs's format at a time */
	enum blk_format format;   /* asked for */
	int format_result;        /* -EINPROGRESS until done */
	u64 format_done;
	wait_queue_head_t format_wait;
};

/*
 * Negative controls of the tests: a driver built for them leaves one check out, the one that its parameter left_out names, so that the attack is
 * seen to succeed that the check stops. In every other build CHECKED() is 1.
 */
#ifdef TSR_TEST_DRIVER_CONTROLS
enum blk_check {
	BLK_CHECK_NONE,
	BLK_CHECK_TAIL,      /* no more completions than the ring holds */
	BLK_CHECK_ENTRY,     /* a completion's id, status and reserved bits */
	BLK_CHECK_SENT,      /* its request is in flight */
	BLK_CHECK_AUTHENTIC, /* the header is this guest's */
	BLK_CHECK_SAME,      /* and the same one in each session of an attach */
	BLK_CHECK_FRESH,     /* a block is what was last written or read */
	BLK_CHECK_WRITTEN,   /* and was ever written; without, it is zeros */
};
extern uint blk_left_out;
#define CHECKED(which) (blk_left_out != BLK_CHECK_##which)
#else
#define CHECKED(which) 1
#endif

/* blk_aead.c */
struct blk_aead *blk_aead_alloc(const struct blk_key *key);
void blk_aead_free(struct blk_aead *aead);
int blk_key_init(struct blk_key *key, u32 suite);
void blk_key_exit(struct blk_key *key);
/* Worker. Seals one block under a fresh counter: text (private; NULL: a zero block) into to, which may be shared memory. Its seal is q->aead->seal. */
int blk_seal(struct blk_queue *q, u64 block, void *to, const void *text);
/*
 * Worker. Opens one block of what may be shared memory into text (private), by q->aead->seal. -EBADMSG: not authentic, text is zeroed; other errors:
 * could not be tried.
 */
int blk_open(struct blk_queue *q, u64 block, void *text, const void *from);
/* Worker. After either of these two the FPU may still be held: this gives it back, before anything that may sleep or is not ours. */
void blk_aead_rest(struct blk_queue *q);
/* Worker. What is cached of the disk is another one's or another attach's: forgets its keys. Also by the thread with the queue's mutex. */
void blk_aead_renew(struct blk_queue *q);
/* Thread. Takes the disk's lease with the key: -EBUSY if another guest has it. */
int blk_header_key(struct blk *b);
int blk_header_seal(struct blk *b, struct blk_header *header);
int blk_header_verify(struct blk *b, struct blk_header *header);

/* blk_ring.c: with the queue's mutex held. Errors mean that the backend broke the rules. */
void blk_ring_reset(struct blk_queue *q);
int blk_ring_publish(struct blk_queue *q);
int blk_ring_completions(struct blk_queue *q);
void blk_ring_popped(struct blk_queue *q);
bool blk_ring_arm(struct blk_queue *q);

/* blk_strict.c: with the queue's mutex held. */
void blk_strict_add(struct blk_queue *q, u32 slot, const struct tsr_blk_request *request); /* the request waits for its token */
int blk_strict_send(struct blk_queue *q); /* gets tokens for those that wait, as many as there may be, and pushes them */
int blk_strict_revoke(struct blk_queue *q, const struct tsr_blk_completion done[], u32 nr);
int blk_strict_revoke_all(struct blk_queue *q); /* by the thread, after the queue was stopped */

/* blk_request.c: with the queue's mutex held. */
bool blk_req_claim(struct blk_queue *q, struct blk_req *req); /* false: the queue is kicked when it is worth another try */
void blk_req_claim_waited(struct blk_queue *q);               /* no request of the queue waits for a claim any more */
blk_status_t blk_req_prepare(struct blk_queue *q, struct blk_req *req, u32 slot); /* to be sent: an error can be told without the backend */
/* These two end the request: it may be gone afterwards. */
void blk_req_fail(struct blk_queue *q, struct blk_req *req, blk_status_t status);
void blk_req_finish(struct blk_queue *q, struct blk_req *req, u32 slot, u8 status);
void blk_req_tell(struct blk_queue *q); /* the block layer, of all that have ended since */

/* blk_queue.c */
int blk_q_init(struct blk *b, u32 index);
void blk_q_exit(struct blk_queue *q);
void blk_q_kick(struct blk_queue *q); /* any context */
void blk_q_push(struct blk_queue *q, u32 slot); /* with the queue's mutex held: the request in flight in this slot */
/* Thread. The session is open: own requests can be sent, and from serve on the block layer's. */
void blk_q_start(struct blk_queue *q);
void blk_q_serve(struct blk_queue *q);
/* Thread. Takes back everything in flight: own requests end with -ENOTCONN, the block layer's wait for the next session. */
void blk_q_stop(struct blk_queue *q);
/* Thread. Sends own requests on queue 0 and waits for all: 0, or the first error; on trouble with the session stops all queues. */
int blk_exec(struct blk *b, u32 nr);

/* blk_disk.c */
int blk_disk_init(struct blk *b);
void blk_disk_exit(struct blk *b);
void blk_disk_cache(struct blk *b); /* thread, before serving: whether Linux has to flush, in this session */

/* blk_session.c */
int blk_thread(void *arg);
void blk_poke(struct blk *b); /* any context: makes the thread look */
void blk_set_state(struct blk *b, enum blk_state state);
const char *blk_state_text(enum blk_state state);
/* Thread. Waits till ready (NULL: never) says so. An error: the session has ended or must end. */
int blk_wait(struct blk *b, bool (*ready)(struct blk *b, u32 arg), u32 arg);
/* Thread. As blk_wait, but returns 0 after the time given. */
int blk_wait_time(struct blk *b, unsigned long timeout);
void blk_queues_stop(struct blk *b);

/* blk_attach.c: thread. Return 0 when attached, or an error when the session has ended or must end. */
int blk_attach(struct blk *b);
int blk_attach_again(struct blk *b);
void blk_format_finish(struct blk *b, int result); /* any process context */
int blk_may_format(enum blk_state state, enum blk_format format); /* what the disk's state allows */

/* blk_format.c: thread. Header slots are overwritten; next: the generation to begin with. */
int blk_format_disk(struct blk *b, u64 generation);
/* An attached disk takes what the backend has more by now; no requests of the block layer are being sent. As long as it fails, it is as before. */
int blk_grow(struct blk *b);
int blk_header_write(struct blk *b, struct blk_header *header);

/* blk_session.c: a mode, or -EINVAL */
int blk_mode_parse(const char *text);
const char *blk_mode_text(enum tsr_blk_mode mode);

/* blk_sysfs.c */
extern const struct attribute_group *blk_device_groups[];
extern const struct attribute_group *blk_gendisk_groups[];

#endif
