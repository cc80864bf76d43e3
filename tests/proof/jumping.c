/* A wall clock that jumps, for programs that are told of it by LD_PRELOAD.

   What it says lies in the file JUMPING_CLOCK, which all programs share and a test writes to:
   by how many nanoseconds the wall clock and the time since boot are ahead of the machine's, and
   from which reading of the wall clock on it jumps, and by how much. Times of files are the
   machine's: a clock that is set changes no file. JUMPING_BOOT stands in for the boot id. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static struct told { int64_t wall, awake, readings, from, by; } none, *told = &none;
static const char *boot;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("JUMPING_CLOCK");
    int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) told = at;
    close(fd);
    boot = getenv("JUMPING_BOOT");
}

static int64_t wall(struct timespec at) {
    int64_t reading = __sync_add_and_fetch(&told->readings, 1);
    int64_t jump = told->from && reading >= told->from ? told->by : 0;
    return at.tv_sec * SECOND + at.tv_nsec + told->wall + jump;
}

static struct timespec parts(int64_t ns) {
    struct timespec at = {ns / SECOND, ns % SECOND};
    if (at.tv_nsec < 0) at.tv_sec--, at.tv_nsec += SECOND;
    return at;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (failed) return failed;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) *at = parts(wall(*at));
    if (clock == CLOCK_BOOTTIME) *at = parts(at->tv_sec * SECOND + at->tv_nsec + told->awake);
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec, at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

/* the boot id */

static int opened(int folder, const char *path, int flags, va_list more) {
    int makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    int mode = makes ? va_arg(more, int) : 0;
    if (boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) path = boot;
    return syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name, folder, ...)                                                                    \
    int name(__VA_ARGS__, const char *path, int flags, ...) {                                      \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        int fd = opened(folder, path, flags, more);                                                \
        va_end(more);                                                                              \
        return fd;                                                                                 \
    }
OPEN(openat, at, int at)
OPEN(openat64, at, int at)
#undef OPEN
#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        int fd = opened(AT_FDCWD, path, flags, more);                                              \
        va_end(more);                                                                              \
        return fd;                                                                                 \
    }
OPEN(open)
OPEN(open64)
