/* Plays a file system without locks: starts a command whose calls of flock fail with the error named.
 * Started as: no_locks ERROR COMMAND ARGUMENT ... A filter of system calls, since a preloaded library sees no call
 * that does not go through libc. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int number_of(const char *name)
{
    if (strcmp(name, "ENOSYS") == 0) return ENOSYS;
    if (strcmp(name, "ENOLCK") == 0) return ENOLCK;
    if (strcmp(name, "EOPNOTSUPP") == 0) return EOPNOTSUPP;
    return EIO;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 125;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_flock, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number_of(argv[1])),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("no_locks");
        return 125;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
