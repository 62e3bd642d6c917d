/* The peer of the claim layer: the same claims in plain C, as a program without the library would make
 * them. Same MPI, same process, same kind of window, one flush after every operation, every
 * return code looked at. Compiled by `just bench claims` with the MPI's own wrapper, -O3. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECKED(call)                                        \
    do {                                                     \
        if ((call) != MPI_SUCCESS) {                         \
            fprintf(stderr, "claims.c: %s failed\n", #call); \
            MPI_Abort(MPI_COMM_WORLD, 1);                    \
        }                                                    \
    } while (0)

enum { HOME = 0 };

struct peer {
    MPI_Win win;
    uint64_t *base;
    size_t n_bytes;
    int rank;
    uint64_t known, n_operations;
    int all_known;
};

/* A window of n_bytes on rank 0, in a lock_all epoch. Collective. */
struct peer *peer_open(size_t n_bytes) {
    struct peer *p = calloc(1, sizeof *p);
    CHECKED(MPI_Comm_rank(MPI_COMM_WORLD, &p->rank));
    p->n_bytes = n_bytes;
    MPI_Aint own = p->rank == HOME ? (MPI_Aint)n_bytes : 0;
    CHECKED(MPI_Win_allocate(own, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &p->base, &p->win));
    CHECKED(MPI_Win_set_errhandler(p->win, MPI_ERRORS_RETURN));
    CHECKED(MPI_Win_lock_all(MPI_MODE_NOCHECK, p->win));
    return p;
}

/* All words zero again. Called by the home rank, at rest. */
void peer_clear(struct peer *p) {
    char *zeros = calloc(1, p->n_bytes);
    CHECKED(MPI_Put(zeros, (int)p->n_bytes, MPI_BYTE, HOME, 0, (int)p->n_bytes, MPI_BYTE, p->win));
    CHECKED(MPI_Win_flush(HOME, p->win));
    free(zeros);
}

/* n claims of 64 items in turn by fetch-and-or; how many were won. */
uint64_t peer_claim_bits(struct peer *p, uint64_t n) {
    uint64_t won = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64), before;
        CHECKED(MPI_Fetch_and_op(&bit, &before, MPI_UINT64_T, HOME, 0, MPI_BOR, p->win));
        CHECKED(MPI_Win_flush(HOME, p->win));
        won += (before & bit) == 0;
    }
    return won;
}

/* The same, and what a program needs that plays until all is claimed: it remembers what each result
 * showed, notices when all is claimed, and counts its operations. */
uint64_t peer_claim_bits_and_remember(struct peer *p, uint64_t n) {
    uint64_t won = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64), before;
        p->n_operations++;
        CHECKED(MPI_Fetch_and_op(&bit, &before, MPI_UINT64_T, HOME, 0, MPI_BOR, p->win));
        CHECKED(MPI_Win_flush(HOME, p->win));
        if (p->known != (before | bit)) p->known = before | bit;
        if (p->known == UINT64_MAX && !p->all_known) p->all_known = 1;
        won += (before & bit) == 0;
    }
    return won;
}

/* n claims of 64 items in turn by compare-and-swap on 32-bit slots behind a 64-bit counter, which is
 * read in the same flush and counted up when won; how many were won. */
uint64_t peer_claim_slots(struct peer *p, uint64_t n) {
    const uint32_t available = 0, mark = (uint32_t)p->rank + 1;
    const uint64_t nothing = 0, one = 1;
    uint64_t won = 0, counted;
    for (uint64_t i = 0; i < n; i++) {
        MPI_Aint slot = 8 + 4 * (MPI_Aint)(i % 64);
        uint32_t found;
        CHECKED(MPI_Compare_and_swap(&mark, &available, &found, MPI_UINT32_T, HOME, slot, p->win));
        CHECKED(MPI_Fetch_and_op(&nothing, &counted, MPI_UINT64_T, HOME, 0, MPI_SUM, p->win));
        CHECKED(MPI_Win_flush(HOME, p->win));
        if (found == available) {
            won++;
            CHECKED(MPI_Fetch_and_op(&one, &counted, MPI_UINT64_T, HOME, 0, MPI_SUM, p->win));
            CHECKED(MPI_Win_flush(HOME, p->win));
        }
    }
    return won;
}

/* Closes the window. Collective. */
void peer_close(struct peer *p) {
    CHECKED(MPI_Win_unlock_all(p->win));
    CHECKED(MPI_Win_free(&p->win));
    free(p);
}
