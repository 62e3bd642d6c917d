/* MPI_Init_thread that is not over too soon, through the profiling interface (MPI-4.1 §15.2): it makes the file HELD,
 * and waits for the file GO, at most two minutes. */
#include <mpi.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    const char *held = getenv("HELD"), *go = getenv("GO");
    if (held && go) {
        close(open(held, O_CREAT | O_WRONLY, 0600));
        for (int i = 0; i < 12000 && access(go, F_OK) != 0; i++) usleep(10000);
    }
    return PMPI_Init_thread(argc, argv, required, provided);
}
