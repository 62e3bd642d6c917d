/* What some file systems and systems refuse, refused on any, to the program that this is preloaded into.
   ONESIDED_REFUSE names what, parted by commas:

     chmod      fchmod gives EPERM, as on CIFS and on mounted object stores
     sync       fsync of a folder gives EINVAL, as on CIFS and on some FUSE file systems
     map        no shared map of a file of records: ENODEV, as on FUSE with direct_io
     fallocate  fallocate gives EINTR each time, as under a profiler whose signals come faster than it ends */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuses(const char *what) {
    const char *all = getenv("ONESIDED_REFUSE");
    return all != NULL && strstr(all, what) != NULL;
}

int fchmod(int fd, mode_t mode) {
    if (refuses("chmod")) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_fchmod, fd, mode);
}

int fsync(int fd) {
    struct stat about;
    if (refuses("sync") && fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static int is_of_records(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    const char *end = ".records";
    return n > 8 && memcmp(path + n - 8, end, 8) == 0;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    if ((flags & MAP_SHARED) && refuses("map") && is_of_records(fd)) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mmap(at, length, protection, flags, fd, offset);
}

/* The program makes this call without the C library, so the kernel has to refuse it. */
__attribute__((constructor)) static void interrupt_fallocate(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINTR),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (refuses("fallocate") &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)) {
        perror("refuse.c: seccomp");
        _exit(9);
    }
}
