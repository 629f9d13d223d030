/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * guest_fake: tessera.ko's stand-in for testing tessera_blk.ko on a bare kernel, without the hypervisor. It exports the same functions,
 * has one block device, and serves it from memory by a backend that can be told to misbehave.
 */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include <tessera/block.h>
#include "tessera_bus.h"

#define FAKE_BLOCKS     16384u /* 64 MiB */
#define FAKE_MAX_BLOCKS 17408u /* 68 MiB */

/* Written in sysfs (/sys/module/guest_fake/parameters/misbehave): done once, then it is back to NOTHING. */
enum fake_misbehaviour {
	FAKE_NOTHING = 0,
	FAKE_BOGUS_ID = 1,    /* completes an id that is out of range */
	FAKE_UNSENT_ID = 2,   /* completes an id that is not in flight */
	FAKE_TWICE = 3,       /* completes a request twice */
	FAKE_TAIL = 4,        /* claims more completions than the ring holds */
	FAKE_STATUS = 5,      /* completes with a status that does not exist */
	FAKE_IO_ERROR = 6,    /* fails the next write as the medium would */
	FAKE_FLIP_DATA = 7,   /* one bit of the next read's first data block */
	FAKE_FLIP_SEAL = 8,   /* one bit of the next read's first seal */
	FAKE_SWAP = 9,        /* the next read of two or more blocks gets the first two exchanged */
	FAKE_KEEP = 10,       /* remembers the pair that the next write replaces */
	FAKE_REPLAY = 11,     /* puts the remembered pair back, at once */
	FAKE_FORGET = 12,     /* the next read gets an all-zero seal */
	FAKE_DATA_AS_ZERO = 13, /* the next read gets its first block's seal with the zero flag set */
	FAKE_OLD_HEADER = 14, /* puts the first complete header ever seen into both slots, at once */
	FAKE_FAILED = 15,     /* the control page says FAILED, at once */
	FAKE_NO_SPACE = 16,   /* refuses the next write */
	FAKE_BAD_HEADERS = 17, /* flips a bit in each header, at once */
	FAKE_NEW_HEADER = 19, /* undoes OLD_HEADER, at once */
	FAKE_SLOW = 18,       /* takes no request until this is anything else, as long as the session lasts */
	FAKE_SCRIBBLE = 20,   /* until this is anything else: changes data and seals just after completing reads */
	FAKE_REVOKE_LATE = 21, /* the next revoke does not succeed */
	FAKE_LOSE = 22,       /* takes the next request and never answers it */
	FAKE_STORM = 23,      /* raises both of the session's first events 2,000 times, at once */
	FAKE_WIPE = 24,       /* both headers become zeros, as of an empty disk, at once; undone by NEW_HEADER */
	FAKE_OVERRUN = 25,    /* a control: writes behind an allocation, at once */
	FAKE_MORE = 26,       /* completes as many requests as the ring holds, at once, and claims one more */
	FAKE_EMPTY = 27,      /* no block was ever written, as of an empty image behind the same headers, at once */
};

/* fake_main.c */
struct tsr_run *fake_run(const struct tsr_token *token, u32 session, u32 pages);
void fake_raise(u32 event);
void fake_complain(const char *about); /* the driver has broken a rule: shown, and counted in parameter complaints */
extern struct mutex fake_lock; /* held while the backend touches granted pages: what revoke waits for */

/* fake_backend.c */
int fake_backend_init(void);
void fake_backend_exit(void);
void fake_connect(u32 session, const struct tsr_token *token);
void fake_doorbell(void);
void fake_disconnect(void);
void fake_revoked(const struct tsr_run *run); /* with fake_lock held */
int fake_misbehave(int what);
bool fake_do_now(int what);

#endif
