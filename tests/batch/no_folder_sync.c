/* Plays a file system on which a folder cannot be synchronised, by LD_PRELOAD: fsync of one is an invalid argument. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

int fsync(int fd)
{
    static int (*real)(int);
    struct stat status;
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return real(fd);
}
