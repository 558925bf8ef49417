/*
 * Breadth-first search over packed states, each stored whole: in the order of discovery in one array, which is the
 * queue too, and once more in an open-addressing table, so that a look-up touches one place in memory.
 *
 * successors.h is printed by c_search.py: WORDS, INITIAL, wrong, rests, and expand, which calls
 *     STAY(action)                          a step that changes nothing
 *     MOVE(action, progress, words...)      a step that does
 *     STEP(action, progress, words...)      a step that may
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef BATCH
#define BATCH 256
#endif
#ifndef BUCKETS
#define BUCKETS 14 /* of the first table, as a power of two */
#endif
#ifndef CLOCK
#define CLOCK CLOCK_MONOTONIC
#endif
#ifndef RECENT
#define RECENT 2048
#endif
#define MOST 4096
#ifndef LOAD
#define LOAD 5 /* eighths of the table that may be taken */
#endif
#define OVER 64 /* buckets behind the table, so that running over need not wrap round */
#define LINE 8 /* words of a cache line */
#define PLACES (LINE / WORDS)

static uint64_t transitions;
static int violated;
static int moves;
static uint64_t *pending; /* successors of the batch: words and hash */
static uint64_t *next;
static void violation(int which) { if (!violated) violated = which; }

#define STAY(action) (transitions++)
#define STEP(action, progress, ...) step((uint64_t[]){__VA_ARGS__}, current, progress)
#define MOVE(action, progress, ...) move((uint64_t[]){__VA_ARGS__}, progress)

static uint64_t current[8];
static void move(const uint64_t *to, int progress);
static void step(const uint64_t *to, const uint64_t *from, int progress);

#include "successors.h"

static uint64_t *states, *table;
static uint64_t mask;
static uint64_t recent[(RECENT + 1) * WORDS]; /* states that have just been entered, or soon will be */

static inline uint64_t hash(const uint64_t *w) {
    unsigned __int128 m = (unsigned __int128)(w[0] ^ 0x9E3779B97F4A7C15u) * (w[WORDS > 1] ^ 0xE7037ED1A0B428DBu);
    uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);
    for (int k = 2; k < WORDS; k++) {
        m = (unsigned __int128)(w[k] ^ h) * 0xA0761D6478BD642Fu;
        h = (uint64_t)m ^ (uint64_t)(m >> 64);
    }
    return h;
}

/* Written in any case; whether it stays is no branch, which would be guessed wrong too often. */
static inline __attribute__((always_inline)) void put(const uint64_t *to, uint64_t differs, int progress) {
    uint64_t h = hash(to);
    transitions++;
    moves |= progress && differs;
    for (int k = 0; k < WORDS; k++) next[k] = to[k];
    next[WORDS] = h;
    __builtin_prefetch(&table[(h & mask) * LINE]);
    if (RECENT) {
        uint64_t *seen = &recent[(h >> 32 & (RECENT - 1)) * WORDS], fresh = 0;
        for (int k = 0; k < WORDS; k++) fresh |= seen[k] ^ to[k], seen[k] = to[k];
        differs = differs ? fresh : 0;
    }
    next += differs ? WORDS + 1 : 0;
}

static inline __attribute__((always_inline)) void move(const uint64_t *to, int progress) { put(to, 1, progress); }

static inline __attribute__((always_inline)) void step(const uint64_t *to, const uint64_t *from, int progress) {
    uint64_t differs = 0;
    for (int k = 0; k < WORDS; k++) differs |= to[k] ^ from[k];
    put(to, differs, progress);
}

/*
 * The table is made of buckets of one cache line. All of a bucket is compared at once, without a branch that would have
 * to guess at which place a state lies; a bucket is filled from its first place on, and runs over into the next one.
 */
static inline int enter(const uint64_t *w, uint64_t h) {
    for (uint64_t *bucket = &table[(h & mask) * LINE];; bucket += LINE) {
        unsigned same = 0, taken = 0;
        for (int i = 0; i < PLACES; i++) {
            uint64_t differs = 0;
            for (int k = 0; k < WORDS; k++) differs |= bucket[i * WORDS + k] ^ w[k];
            same |= differs == 0;
            taken += bucket[i * WORDS + WORDS - 1] >> 63;
        }
        if (same) return 0;
        if (taken < PLACES) {
            for (int k = 0; k < WORDS; k++) bucket[taken * WORDS + k] = w[k];
            return 1;
        }
    }
}

static void *reserve(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) { perror("mmap"); exit(1); }
#ifndef SMALL_PAGES
    madvise(at, bytes, MADV_HUGEPAGE);
#endif
    return at;
}

static uint64_t count;

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

static void add(const uint64_t *w, uint64_t h) {
    if (!enter(w, h)) return;
    for (int k = 0; k < WORDS; k++) states[count * WORDS + k] = w[k];
    count++;
    uint64_t w0 = w[0], w1 = w[WORDS > 1], w2 = w[WORDS > 2 ? 2 : 0], w3 = w[WORDS > 3 ? 3 : 0];
#if WORDS == 1
    int bad = wrong(w0);
#elif WORDS == 2
    int bad = wrong(w0, w1);
#elif WORDS == 3
    int bad = wrong(w0, w1, w2);
#else
    int bad = wrong(w0, w1, w2, w3);
#endif
    if (bad) violation(bad);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(void) {
    double start = now();
    uint64_t head = 0, level_end, depth = 0, deadlocks = 0;
    states = reserve((size_t)64 << 30);
    pending = malloc((BATCH + MOST) * (WORDS + 1) * 8);
    table = reserve((size_t)64 << 30);
    mask = (UINT64_C(1) << BUCKETS) - 1;
    for (int i = 0; i < INITIALS; i++) add(INITIAL[i], hash(INITIAL[i]));
    level_end = count;
    while (head < count && !violated) {
        if (head == level_end) { depth++; level_end = count; }
        if ((count + BATCH + MOST) * 8 > (mask + 1) * PLACES * LOAD) grow();
        next = pending;
        while (head < level_end && next < pending + BATCH * (WORDS + 1)) {
            const uint64_t *s = &states[head++ * WORDS];
            moves = 0;
            for (int k = 0; k < WORDS; k++) current[k] = s[k];
#if WORDS == 1
            expand(s[0]);
            if (DEADLOCK && !moves && !rests(s[0])) deadlocks++;
#elif WORDS == 2
            expand(s[0], s[1]);
            if (DEADLOCK && !moves && !rests(s[0], s[1])) deadlocks++;
#elif WORDS == 3
            expand(s[0], s[1], s[2]);
            if (DEADLOCK && !moves && !rests(s[0], s[1], s[2])) deadlocks++;
#else
            expand(s[0], s[1], s[2], s[3]);
            if (DEADLOCK && !moves && !rests(s[0], s[1], s[2], s[3])) deadlocks++;
#endif
        }
        for (uint64_t *w = pending; w < next; w += WORDS + 1) add(w, w[WORDS]);
    }
    double seconds = now() - start;
    printf("{\"states\": %lu, \"transitions\": %lu, \"depth\": %lu, \"violated\": %d, \"deadlocks\": %lu, "
           "\"seconds\": %.4f, \"bytes\": %lu}\n",
           count, transitions, depth, violated, deadlocks, seconds, count * WORDS * 8 + (mask + 1) * LINE * 8);
    return 0;
}
