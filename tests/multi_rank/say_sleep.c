// Says when the library sleeps for whole seconds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

unsigned int sleep(unsigned int seconds) {
    fprintf(stderr, "slept for %u s\n", seconds);
    unsigned int (*next)(unsigned int) = (unsigned int (*)(unsigned int))dlsym(RTLD_NEXT, "sleep");
    return next(seconds);
}
