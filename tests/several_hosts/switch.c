// switch DELAY_US TAP...: an Ethernet switch that delivers each frame DELAY_US microseconds after it came.
//
// In user space, so that it is there with any kernel: many lack CONFIG_NET_SCH_NETEM, by which `tc` would
// delay frames. Makes a TAP device for each name, says "ready", and runs until it is killed. The last
// byte of a host's Ethernet address is its port's number, so there is nothing to be learnt.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PORTS = 64, MAX_FRAME = 2048, QUEUE = 8192, NS_PER_S = 1000000000 };

struct frame {
    uint64_t due_ns;
    int from;
    ssize_t n_bytes;
    unsigned char bytes[MAX_FRAME];
};

// The delay is the same for all, so frames fall due in the order in which they came: a ring.
static struct frame queue[QUEUE];
static size_t n_in, n_out;
static struct pollfd ports[MAX_PORTS];
static int n_ports;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now)) die("clock_gettime");
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void open_port(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) die("/dev/net/tun");
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(file, TUNSETIFF, &request)) die(name);
    ports[n_ports++] = (struct pollfd){.fd = file, .events = POLLIN};
}

static void receive(int port, uint64_t delay_ns) {
    while (n_in - n_out < QUEUE) {
        struct frame *frame = &queue[n_in % QUEUE];
        frame->n_bytes = read(ports[port].fd, frame->bytes, MAX_FRAME);
        if (frame->n_bytes < 0) {
            // EIO: the interface is not up yet.
            if (errno == EAGAIN || errno == EINTR || errno == EIO) return;
            die("read");
        }
        frame->from = port;
        frame->due_ns = now_ns() + delay_ns;
        n_in++;
    }
}

static void deliver(const struct frame *frame) {
    int to_all = frame->bytes[0] & 1, to = frame->bytes[5];
    for (int port = 0; port < n_ports; port++) {
        if (port == frame->from || (!to_all && port != to)) continue;
        // A network may lose frames; an interface that is not up loses all.
        if (write(ports[port].fd, frame->bytes, (size_t)frame->n_bytes) < 0 && errno != EIO && errno != EAGAIN &&
            errno != ENOBUFS)
            die("write");
    }
}

int main(int n_args, char **args) {
    if (n_args < 3 || n_args - 2 > MAX_PORTS) {
        fprintf(stderr, "usage: switch DELAY_US TAP...\n");
        return 2;
    }
    uint64_t delay_ns = strtoull(args[1], NULL, 10) * 1000;
    for (int i = 2; i < n_args; i++) open_port(args[i]);
    // Ranks that poll take all cores: a switch that had to wait for its turn would add milliseconds.
    struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &first)) die("sched_setscheduler");
    if (prctl(PR_SET_TIMERSLACK, 1ul)) die("prctl");
    puts("ready");
    if (fflush(stdout)) die("stdout");
    for (;;) {
        struct timespec left = {0}, *wait = NULL;
        uint64_t now = now_ns();
        for (; n_out != n_in && queue[n_out % QUEUE].due_ns <= now; n_out++) deliver(&queue[n_out % QUEUE]);
        if (n_out != n_in) {
            uint64_t left_ns = queue[n_out % QUEUE].due_ns - now;
            left = (struct timespec){.tv_sec = (time_t)(left_ns / NS_PER_S), .tv_nsec = (long)(left_ns % NS_PER_S)};
            wait = &left;
        }
        if (ppoll(ports, (nfds_t)n_ports, wait, NULL) < 0 && errno != EINTR) die("ppoll");
        for (int port = 0; port < n_ports; port++)
            if (ports[port].revents) receive(port, delay_ns);
    }
}
