/*
 * Breadth-first search over packed states, each stored whole: in the order of discovery in one array, which is the
 * queue too, and once more in a hash table, so that to look one up touches one place in memory.
 *
 * successors.h is printed by c_search.py: the words of a state, the initial states, `wrong` and `rests` of a state, and
 * `expand`, which says for each step of a state
 *     STAY()                     it changes nothing
 *     MOVE(progress, words...)   it leads to another state; whether it saves this one from being a deadlock
 *     STEP(progress, words...)   likewise, if it changes anything
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef BATCH
#define BATCH 512 /* successors made before the first of them is looked up */
#endif
#ifndef RECENT
#define RECENT 2048 /* states that are remembered beside the table, in the processor's own memory; a power of two */
#endif
#ifndef BUCKETS
#define BUCKETS 14 /* of the first table, as a power of two */
#endif
#ifndef CLOCK
#define CLOCK CLOCK_MONOTONIC
#endif
#define MOST 4096 /* more successors than a state has */
#define LINE 8 /* words of a cache line: a bucket */
#define PLACES (LINE / WORDS)
#define OVER 64 /* buckets behind the table, so that running over need not wrap round */
#define LOAD 5 / 8
#define SPACE ((size_t)64 << 30) /* reserved for the states and for the table; the system gives what is touched */

#define STAY() (transitions++)
#define MOVE(progress, ...) put((uint64_t[]){__VA_ARGS__}, 1, progress)
#define STEP(progress, ...) put((uint64_t[]){__VA_ARGS__}, differs((uint64_t[]){__VA_ARGS__}, w), progress)

static uint64_t transitions;
static int moves, violated;

static void violation(int which) { if (!violated) violated = which; }
static void put(const uint64_t *to, uint64_t keep, int progress);
static uint64_t differs(const uint64_t *a, const uint64_t *b);

#include "successors.h"

typedef struct { uint64_t words[WORDS], hash; } Pending;

static uint64_t *states, *table, mask, count;
static uint64_t recent[RECENT][WORDS];
static Pending pending[BATCH + MOST], *next;

static inline __attribute__((always_inline)) uint64_t differs(const uint64_t *a, const uint64_t *b) {
    uint64_t bits = 0;
    for (int k = 0; k < WORDS; k++) bits |= a[k] ^ b[k];
    return bits;
}

static inline uint64_t hash(const uint64_t *w) {
    uint64_t h = 0x9E3779B97F4A7C15u;
    for (int k = 0; k < WORDS; k += 2) {
        uint64_t second = k + 1 < WORDS ? w[k + 1] : 0;
        unsigned __int128 product = (unsigned __int128)(w[k] ^ h) * (second ^ 0xE7037ED1A0B428DBu);
        h = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return h;
}

/*
 * Written in any case; whether it stays is no branch, which would be guessed wrong too often. What was put a moment ago
 * does not stay: about half of all successors, and for them the table is not asked.
 */
static inline __attribute__((always_inline)) void put(const uint64_t *to, uint64_t keep, int progress) {
    uint64_t h = hash(to);
    transitions++;
    moves |= progress && keep;
    uint64_t *seen = recent[h >> 40 & (RECENT - 1)], fresh = differs(seen, to);
    memcpy(seen, to, WORDS * 8);
    memcpy(next->words, to, WORDS * 8);
    next->hash = h;
    __builtin_prefetch(&table[(h & mask) * LINE]);
    next += keep && fresh;
}

/*
 * The table is made of buckets of one cache line. All of a bucket is compared at once, without a branch that would have
 * to guess at which place a state lies; a bucket is filled from its first place on, and runs over into the next one.
 */
static inline int enter(const uint64_t *w, uint64_t h) {
    for (uint64_t *bucket = &table[(h & mask) * LINE];; bucket += LINE) {
        unsigned same = 0, taken = 0;
        for (int i = 0; i < PLACES; i++) {
            same |= differs(&bucket[i * WORDS], w) == 0;
            taken += bucket[i * WORDS + WORDS - 1] >> 63;
        }
        if (same) return 0;
        if (taken < PLACES) {
            memcpy(&bucket[taken * WORDS], w, WORDS * 8);
            return 1;
        }
    }
}

static void again(const uint64_t *bucket) {
    for (const uint64_t *w = bucket; w < bucket + PLACES * WORDS && w[WORDS - 1]; w += WORDS) enter(w, hash(w));
}

/*
 * Twice as many buckets, in place and in one pass from the first to the last: an entry's new bucket is its old one or
 * lies as far behind it as the table was long, so memory is read and written in order, and none is needed for a copy.
 * Running over does not wrap round; what ran over the end comes last.
 */
static void grow(void) {
    uint64_t buckets = mask + 1, over[OVER * LINE];
    memcpy(over, &table[buckets * LINE], sizeof over);
    memset(&table[buckets * LINE], 0, sizeof over);
    mask = 2 * buckets - 1;
    for (uint64_t i = 0; i < buckets; i++) {
        uint64_t old[LINE];
        memcpy(old, &table[i * LINE], sizeof old);
        memset(&table[i * LINE], 0, sizeof old);
        again(old);
    }
    for (int i = 0; i < OVER; i++) again(&over[i * LINE]);
}

static uint64_t *reserve(void) {
    void *at = mmap(NULL, SPACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
#ifndef SMALL_PAGES
    madvise(at, SPACE, MADV_HUGEPAGE);
#endif
    return at;
}

static void add(const uint64_t *w, uint64_t h) {
    if (!enter(w, h)) return;
    memcpy(&states[count++ * WORDS], w, WORDS * 8);
    int which = wrong(w);
    if (which) violation(which);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(void) {
    double start = now();
    uint64_t head = 0, level_end, depth = 0, stuck = 0;
    states = reserve();
    table = reserve();
    mask = (UINT64_C(1) << BUCKETS) - 1;
    for (int i = 0; i < INITIALS; i++) add(INITIAL[i], hash(INITIAL[i]));
    level_end = count;
    while (head < count && !violated) {
        if (head == level_end) {
            depth++;
            level_end = count;
        }
        while (count + BATCH + MOST > (mask + 1) * PLACES * LOAD) grow();
        next = pending;
        while (head < level_end && next < pending + BATCH) {
            uint64_t w[WORDS];
            memcpy(w, &states[head++ * WORDS], sizeof w);
            moves = 0;
            expand(w);
            if (!moves) {
                stuck++;
                if (DEADLOCK && !rests(w)) violation(-2);
            }
        }
        for (Pending *p = pending; p < next; p++) add(p->words, p->hash);
    }
    printf("{\"states\": %lu, \"transitions\": %lu, \"depth\": %lu, \"stuck\": %lu, \"violated\": %d, "
           "\"seconds\": %.4f, \"bytes\": %lu}\n",
           count, transitions, depth, stuck, violated, now() - start, count * WORDS * 8 + (mask + 1) * LINE * 8);
    return 0;
}
