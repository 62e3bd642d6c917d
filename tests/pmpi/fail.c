/* An MPI library with faults, through the profiling interface (MPI-4.1 §15.2).
 *
 * LOSE_BITS=1: MPI_Fetch_and_op with MPI_BOR returns the word as it should, and leaves it as it was.
 * FAIL=FUNCTION FAIL_ON=RANK: a call of FUNCTION on that rank of the world is not made, and returns an error.
 * MPI_Pcontrol(1, "fail FUNCTION") to MPI_Pcontrol(-1, "fail FUNCTION"): the first call of FUNCTION in between is
 * made, and returns an error all the same: nobody knows what became of it. */
#include <mpi.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *to_fail = "";

int MPI_Pcontrol(const int level, ...) {
    va_list arguments;
    va_start(arguments, level);
    const char *name = va_arg(arguments, const char *);
    va_end(arguments);
    if (strncmp(name, "fail ", 5) == 0) to_fail = level == 1 ? name + 5 : "";
    return MPI_SUCCESS;
}

static int fails(const char *name) {
    const char *function = getenv("FAIL"), *on = getenv("FAIL_ON");
    int rank;
    if (!function || !on || strcmp(function, name) != 0) return 0;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return atoi(on) == rank;
}

static int made(const char *name, int code) {
    if (strcmp(name, to_fail) != 0) return code;
    to_fail = "";
    return MPI_ERR_OTHER;
}

#define CALL(name, arguments) return fails("MPI_" #name) ? MPI_ERR_OTHER : made("MPI_" #name, PMPI_##name arguments)

int MPI_Fetch_and_op(const void *origin, void *result, MPI_Datatype type, int target, MPI_Aint displacement,
                     MPI_Op op, MPI_Win win) {
    if (getenv("LOSE_BITS") && op == MPI_BOR) op = MPI_NO_OP;
    CALL(Fetch_and_op, (origin, result, type, target, displacement, op, win));
}

int MPI_Compare_and_swap(const void *origin, const void *expected, void *result, MPI_Datatype type, int target,
                         MPI_Aint displacement, MPI_Win win) {
    CALL(Compare_and_swap, (origin, expected, result, type, target, displacement, win));
}

int MPI_Get_accumulate(const void *origin, int n_origin, MPI_Datatype origin_type, void *result, int n_result,
                       MPI_Datatype result_type, int target, MPI_Aint displacement, int n_target,
                       MPI_Datatype target_type, MPI_Op op, MPI_Win win) {
    CALL(Get_accumulate, (origin, n_origin, origin_type, result, n_result, result_type, target, displacement, n_target,
                          target_type, op, win));
}

int MPI_Get(void *origin, int n_origin, MPI_Datatype origin_type, int target, MPI_Aint displacement, int n_target,
            MPI_Datatype target_type, MPI_Win win) {
    CALL(Get, (origin, n_origin, origin_type, target, displacement, n_target, target_type, win));
}

int MPI_Win_flush(int rank, MPI_Win win) { CALL(Win_flush, (rank, win)); }

int MPI_Win_flush_all(MPI_Win win) { CALL(Win_flush_all, (win)); }

int MPI_Win_lock_all(int assertion, MPI_Win win) { CALL(Win_lock_all, (assertion, win)); }

int MPI_Win_set_errhandler(MPI_Win win, MPI_Errhandler handler) { CALL(Win_set_errhandler, (win, handler)); }

int MPI_Win_shared_query(MPI_Win win, int rank, MPI_Aint *size, int *unit, void *base) {
    CALL(Win_shared_query, (win, rank, size, unit, base));
}
