/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * The revoke race: what guest_revoke (the issuer) and tools/racer (the host's program) agree on. One page of 512 words of 64 bits
 * is granted, hammered by a host thread, revoked while hammered, and only then given secrets. Who wrote a word is told by its
 * top 16 bits.
 */
#ifndef TESTS_REVOKE_H
#define TESTS_REVOKE_H

#define RACE_WORDS      512
#define RACE_KIND(word) ((word) >> 48)
#define RACE_GUEST      0x6a01ull /* word 0 while granted; the low bits are the round */
#define RACE_HOST       0x6a02ull /* written by the host's thread */
#define RACE_SECRET     0x6a03ull /* written by the guest after revoke has returned: nobody else may see it */
#define RACE_WORD(kind, low) ((kind) << 48 | (low))

/*
 * Word 0: the guest's mark. Word 1: how often the host's thread has found the mark of this round in word 0, below the round itself:
 * a thread that was held up between its read and its write may put an old round's count into the next round's page.
 */
#define RACE_MARK  0
#define RACE_COUNT 1
#define RACE_COUNT_BITS 40
#define RACE_COUNT_WORD(round, n) ((round) << RACE_COUNT_BITS | (n))
#define RACE_FIRST 2 /* the first of the words that the host's thread reads and writes in turn */

#endif
