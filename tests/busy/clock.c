/* A calendar that goes faster than the machine, for one tree of programs (LD_PRELOAD).

   The wall clock and the time since boot run RATE times as fast, from a moment on that all
   programs share. Times of files are the kernel's, so they are told, and set, on the same
   scale: one linear function, both ways. The monotonic clock, and with it every timeout that
   is about the machine (locks, databases, settling), stays as it is; whoever waits longer
   than LONG seconds waits for the calendar, and is woken RATE times as early.

   FAST_CLOCK="T F B RATE": the wall clock's real reading at the start, what it shall say then,
   the time since boot at that moment, all in nanoseconds, and the rate. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define SECOND 1000000000LL
#define LONG (10 * SECOND)
#define LEAST (50 * SECOND / 1000) /* nobody spins because the calendar is fast */
#define EPOCHAL 1000000000LL /* seconds: a moment of the wall clock, and none since boot */

static int64_t real_start, fast_start, boot_start, rate = 1;

__attribute__((constructor)) static void read_start(void) {
    const char *told = getenv("FAST_CLOCK");
    long long t, f, b, r;
    if (told && sscanf(told, "%lld %lld %lld %lld", &t, &f, &b, &r) == 4)
        real_start = t, fast_start = f, boot_start = b, rate = r;
}

#define REAL(name) ((__typeof__(&name))real_of(#name))
static void *real_of(const char *name) { return dlsym(RTLD_NEXT, name); }

static int64_t whole(struct timespec at) { return at.tv_sec * SECOND + at.tv_nsec; }

static struct timespec parts(int64_t ns) {
    struct timespec at = {ns / SECOND, ns % SECOND};
    if (at.tv_nsec < 0) at.tv_sec--, at.tv_nsec += SECOND;
    return at;
}

/* The calendar at a moment of the wall clock; before the start it is as slow as that. */
static int64_t faster(int64_t ns) {
    int64_t since = ns - real_start;
    return fast_start + (since > 0 ? since * rate : since);
}

static int64_t slower(int64_t ns) {
    int64_t since = ns - fast_start;
    return real_start + (since > 0 ? since / rate : since);
}

static int64_t now(clockid_t clock) {
    struct timespec at;
    syscall(SYS_clock_gettime, clock, &at);
    return whole(at);
}

/* How long a wait of this length takes on the machine. */
static int64_t wait_for(int64_t ns) {
    if (ns < LONG) return ns;
    return ns / rate > LEAST ? ns / rate : LEAST;
}

/* clocks */

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (failed) return failed;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *at = parts(faster(whole(*at)));
        break;
    case CLOCK_BOOTTIME:
        *at = parts(boot_start + (whole(*at) - boot_start) * rate);
        break;
    }
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    int64_t ns = faster(now(CLOCK_REALTIME));
    at->tv_sec = ns / SECOND, at->tv_usec = ns % SECOND / 1000;
    return 0;
}

time_t time(time_t *at) {
    time_t found = faster(now(CLOCK_REALTIME)) / SECOND;
    if (at) *at = found;
    return found;
}

int timespec_get(struct timespec *at, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}

/* waits */

/* The same end on the clock that the kernel counts: a moment of the fast one, or a long wait. */
static struct timespec end_of(const struct timespec *end, clockid_t clock) {
    if (clock == CLOCK_REALTIME) {
        int64_t real = now(CLOCK_REALTIME), left = whole(*end) - faster(real);
        return parts(left > 0 ? real + wait_for(left) : real);
    }
    int64_t here = now(clock), left = whole(*end) - here;
    return left < LONG ? *end : parts(here + wait_for(left));
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *asked, struct timespec *left) {
    struct timespec length =
        flags & TIMER_ABSTIME ? end_of(asked, clock) : parts(wait_for(whole(*asked)));
    return syscall(SYS_clock_nanosleep, clock, flags, &length, left) ? errno : 0;
}

int nanosleep(const struct timespec *asked, struct timespec *left) {
    int failed = clock_nanosleep(CLOCK_MONOTONIC, 0, asked, left);
    if (failed) errno = failed;
    return failed ? -1 : 0;
}

unsigned sleep(unsigned seconds) {
    struct timespec asked = {seconds, 0}, left = {0, 0};
    return nanosleep(&asked, &left) ? (unsigned)left.tv_sec : 0;
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict end) {
    struct timespec mine = end_of(end, CLOCK_REALTIME);
    return REAL(sem_timedwait)(sem, &mine);
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict end) {
    struct timespec mine = end_of(end, clock);
    return REAL(sem_clockwait)(sem, clock, &mine);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict end) {
    static __typeof__(&pthread_cond_timedwait) real;
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = REAL(pthread_cond_timedwait);
    struct timespec mine =
        end_of(end, end->tv_sec > EPOCHAL ? CLOCK_REALTIME : CLOCK_MONOTONIC);
    return real(cond, mutex, &mine);
}

int poll(struct pollfd *fds, nfds_t count, int ms) {
    if (ms > 0) ms = wait_for(ms * 1000000LL) / 1000000;
    return REAL(poll)(fds, count, ms);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *length, const sigset_t *mask) {
    struct timespec mine = length ? parts(wait_for(whole(*length))) : parts(0);
    return REAL(ppoll)(fds, count, length ? &mine : NULL, mask);
}

int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict odd,
           struct timeval *restrict length) {
    if (!length) return REAL(select)(count, in, out, odd, NULL);
    int64_t ns = wait_for(length->tv_sec * SECOND + length->tv_usec * 1000);
    struct timeval mine = {ns / SECOND, ns % SECOND / 1000};
    return REAL(select)(count, in, out, odd, &mine);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int ms) {
    if (ms > 0) ms = wait_for(ms * 1000000LL) / 1000000;
    return REAL(epoll_wait)(fd, events, count, ms);
}

int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
                 const struct timespec *restrict length) {
    struct timespec mine = length ? parts(wait_for(whole(*length))) : parts(0);
    return REAL(sigtimedwait)(set, info, length ? &mine : NULL);
}

/* times of files, as they are read */

static void date(struct timespec *at) { *at = parts(faster(whole(*at))); }

#define DATED(name, ...)                                                                     \
    {                                                                                              \
        int failed = REAL(name)(__VA_ARGS__);                                                      \
        if (!failed) date(&found->st_atim), date(&found->st_mtim), date(&found->st_ctim);          \
        return failed;                                                                             \
    }
#define STAT(suffix)                                                                               \
    int stat##suffix(const char *restrict path, struct stat##suffix *restrict found)               \
        DATED(stat##suffix, path, found)                                                         \
    int lstat##suffix(const char *restrict path, struct stat##suffix *restrict found)              \
        DATED(lstat##suffix, path, found)                                                        \
    int fstat##suffix(int fd, struct stat##suffix *found) DATED(fstat##suffix, fd, found)        \
    int fstatat##suffix(int fd, const char *restrict path, struct stat##suffix *restrict found,    \
                        int flags) DATED(fstatat##suffix, fd, path, found, flags)
STAT()
STAT(64)

int statx(int fd, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict found) {
    int failed = REAL(statx)(fd, path, flags, mask, found);
    struct statx_timestamp *all[] = {&found->stx_atime, &found->stx_mtime, &found->stx_ctime,
                                     &found->stx_btime};
    for (int i = 0; !failed && i < 4; i++) {
        int64_t ns = faster(all[i]->tv_sec * SECOND + all[i]->tv_nsec);
        all[i]->tv_sec = ns / SECOND, all[i]->tv_nsec = ns % SECOND;
    }
    return failed;
}

/* and as they are set */

static const struct timespec *undated(const struct timespec *given, struct timespec mine[2]) {
    for (int i = 0; given && i < 2; i++) {
        int said = given[i].tv_nsec == UTIME_NOW || given[i].tv_nsec == UTIME_OMIT;
        mine[i] = said ? given[i] : parts(slower(whole(given[i])));
    }
    return given ? mine : NULL;
}

int utimensat(int fd, const char *path, const struct timespec given[2], int flags) {
    struct timespec mine[2];
    return REAL(utimensat)(fd, path, undated(given, mine), flags);
}

int futimens(int fd, const struct timespec given[2]) {
    struct timespec mine[2];
    return REAL(futimens)(fd, undated(given, mine));
}

int utimes(const char *path, const struct timeval given[2]) {
    struct timespec at[2];
    for (int i = 0; given && i < 2; i++)
        at[i] = (struct timespec){given[i].tv_sec, given[i].tv_usec * 1000};
    return utimensat(AT_FDCWD, path, given ? at : NULL, 0);
}

int utime(const char *path, const struct utimbuf *given) {
    struct timespec at[2];
    if (given) at[0] = (struct timespec){given->actime, 0}, at[1] = (struct timespec){given->modtime, 0};
    return utimensat(AT_FDCWD, path, given ? at : NULL, 0);
}
