/* Counts what an MPI program calls, through the profiling interface (MPI-4.1 §15.2): each function
 * here stands in front of the library's, counts, and calls PMPI_.
 *
 * Calls are counted apart for the region "game", which the program marks by MPI_Pcontrol(1, "game")
 * and MPI_Pcontrol(-1, "game"), and for everything else. In MPI_Finalize each rank writes
 * $COUNT_DIR/rank-N: a line "games G", then a line "FUNCTION IN_GAME ELSEWHERE" for each function.
 *
 * The test that uses this fails when the program imports an MPI function that is neither here nor
 * known to be local, so nothing is called uncounted. */
#include <mpi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FUNCTIONS = 64 };

static struct {
    const char *name;
    long in_game, elsewhere;
} counts[MAX_FUNCTIONS];
static int n_functions, in_game, n_games;

static void count(const char *name, int *slot) {
    if (*slot < 0) {
        if (n_functions == MAX_FUNCTIONS) abort();
        *slot = n_functions++;
        counts[*slot].name = name;
    }
    if (in_game) counts[*slot].in_game++;
    else counts[*slot].elsewhere++;
}

/* Says something as soon as MPI starts, too. */
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    printf("a library says something on stdout\n");
    fflush(stdout);
    return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Pcontrol(const int level, ...) {
    va_list rest;
    va_start(rest, level);
    const char *region = level == 1 || level == -1 ? va_arg(rest, const char *) : "";
    va_end(rest);
    if (strcmp(region, "game") == 0) {
        in_game = level == 1;
        n_games += in_game;
    }
    return MPI_SUCCESS;
}

int MPI_Finalize(void) {
    int rank;
    char path[4096];
    /* As some libraries do (UCX). The document that the program prints must not suffer from it. */
    printf("a library says something on stdout\n");
    fflush(stdout);
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    snprintf(path, sizeof path, "%s/rank-%d", getenv("COUNT_DIR"), rank);
    FILE *file = fopen(path, "w");
    if (!file) abort();
    fprintf(file, "games %d\n", n_games);
    for (int i = 0; i < n_functions; i++)
        fprintf(file, "%s %ld %ld\n", counts[i].name, counts[i].in_game, counts[i].elsewhere);
    if (fclose(file)) abort();
    return PMPI_Finalize();
}

#define COUNTED(name, parameters, arguments) \
    int MPI_##name parameters {              \
        static int slot = -1;                \
        count("MPI_" #name, &slot);          \
        return PMPI_##name arguments;        \
    }

/* Collective over a communicator or a window. */
COUNTED(Allreduce, (const void *s, void *r, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c), (s, r, n, t, o, c))
COUNTED(Barrier, (MPI_Comm c), (c))
COUNTED(Bcast, (void *b, int n, MPI_Datatype t, int root, MPI_Comm c), (b, n, t, root, c))
COUNTED(Comm_dup, (MPI_Comm c, MPI_Comm *dup), (c, dup))
COUNTED(Comm_free, (MPI_Comm *c), (c))
COUNTED(Comm_split_type, (MPI_Comm c, int type, int key, MPI_Info i, MPI_Comm *part), (c, type, key, i, part))
COUNTED(Gather,
        (const void *s, int sn, MPI_Datatype st, void *r, int rn, MPI_Datatype rt, int root, MPI_Comm c),
        (s, sn, st, r, rn, rt, root, c))
COUNTED(Gatherv,
        (const void *s, int sn, MPI_Datatype st, void *r, const int rn[], const int at[], MPI_Datatype rt, int root, MPI_Comm c),
        (s, sn, st, r, rn, at, rt, root, c))
COUNTED(Win_allocate, (MPI_Aint n, int unit, MPI_Info i, MPI_Comm c, void *base, MPI_Win *w), (n, unit, i, c, base, w))
COUNTED(Win_allocate_shared, (MPI_Aint n, int unit, MPI_Info i, MPI_Comm c, void *base, MPI_Win *w), (n, unit, i, c, base, w))
COUNTED(Win_create, (void *base, MPI_Aint n, int unit, MPI_Info i, MPI_Comm c, MPI_Win *w), (base, n, unit, i, c, w))
COUNTED(Win_free, (MPI_Win *w), (w))

/* Passive target: this rank and the home rank's memory. */
COUNTED(Compare_and_swap,
        (const void *o, const void *e, void *r, MPI_Datatype t, int rank, MPI_Aint at, MPI_Win w),
        (o, e, r, t, rank, at, w))
COUNTED(Fetch_and_op,
        (const void *o, void *r, MPI_Datatype t, int rank, MPI_Aint at, MPI_Op op, MPI_Win w),
        (o, r, t, rank, at, op, w))
COUNTED(Get,
        (void *o, int on, MPI_Datatype ot, int rank, MPI_Aint at, int tn, MPI_Datatype tt, MPI_Win w),
        (o, on, ot, rank, at, tn, tt, w))
COUNTED(Get_accumulate,
        (const void *o, int on, MPI_Datatype ot, void *r, int rn, MPI_Datatype rt, int rank, MPI_Aint at, int tn, MPI_Datatype tt, MPI_Op op, MPI_Win w),
        (o, on, ot, r, rn, rt, rank, at, tn, tt, op, w))
COUNTED(Put,
        (const void *o, int on, MPI_Datatype ot, int rank, MPI_Aint at, int tn, MPI_Datatype tt, MPI_Win w),
        (o, on, ot, rank, at, tn, tt, w))
COUNTED(Win_flush, (int rank, MPI_Win w), (rank, w))
COUNTED(Win_flush_all, (MPI_Win w), (w))
COUNTED(Win_lock_all, (int assertion, MPI_Win w), (assertion, w))
COUNTED(Win_unlock_all, (MPI_Win w), (w))

/* Point to point. */
COUNTED(Improbe, (int from, int tag, MPI_Comm c, int *flag, MPI_Message *m, MPI_Status *s), (from, tag, c, flag, m, s))
COUNTED(Iprobe, (int from, int tag, MPI_Comm c, int *flag, MPI_Status *s), (from, tag, c, flag, s))
COUNTED(Mprobe, (int from, int tag, MPI_Comm c, MPI_Message *m, MPI_Status *s), (from, tag, c, m, s))
COUNTED(Mrecv, (void *b, int n, MPI_Datatype t, MPI_Message *m, MPI_Status *s), (b, n, t, m, s))
COUNTED(Recv, (void *b, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Status *s), (b, n, t, from, tag, c, s))
COUNTED(Send, (const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c), (b, n, t, to, tag, c))
