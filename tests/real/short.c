/* A disk that takes, or gives, less than it was asked to (LD_PRELOAD).

   POSIX lets every write and read do a part of what was asked, and say so. Here the Kth one of
   a file below a folder does half, or all of them do.

   SHORT="writes K PATH" or "reads K PATH": K is 0 for all. Where SHORT_COUNT names a file, the
   number of those that came is added to it in the end. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static char kind[8], place[4096];
static long wanted = -1, came;

__attribute__((constructor)) static void read_order(void) {
    const char *told = getenv("SHORT");
    if (told) sscanf(told, "%7s %ld %4095s", kind, &wanted, place);
}

__attribute__((destructor)) static void tell(void) {
    const char *file = getenv("SHORT_COUNT");
    FILE *out = file && wanted >= 0 ? fopen(file, "a") : NULL;
    if (out) fprintf(out, "%ld\n", came), fclose(out);
}

static int is_ours(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    return size > 0 && (path[size] = 0, !strncmp(path, place, strlen(place)));
}

/* How much of it is done. */
static size_t part(const char *what, int fd, size_t size) {
    if (wanted < 0 || size < 2 || strcmp(kind, what) || !is_ours(fd)) return size;
    long mine = __atomic_add_fetch(&came, 1, __ATOMIC_RELAXED);
    return wanted == 0 || mine == wanted ? size / 2 : size;
}

ssize_t write(int fd, const void *from, size_t size) {
    return syscall(SYS_write, fd, from, part("writes", fd, size));
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    return syscall(SYS_pwrite64, fd, from, part("writes", fd, size), at);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    return pwrite64(fd, from, size, at);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    return syscall(SYS_copy_file_range, in, from, out, to, part("writes", out, size), flags);
}

ssize_t sendfile64(int out, int in, off64_t *from, size_t size) {
    return syscall(SYS_sendfile, out, in, from, part("writes", out, size));
}

ssize_t sendfile(int out, int in, off_t *from, size_t size) {
    return sendfile64(out, in, from, size);
}

ssize_t read(int fd, void *to, size_t size) {
    return syscall(SYS_read, fd, to, part("reads", fd, size));
}

ssize_t pread64(int fd, void *to, size_t size, off64_t at) {
    return syscall(SYS_pread64, fd, to, part("reads", fd, size), at);
}

ssize_t pread(int fd, void *to, size_t size, off_t at) { return pread64(fd, to, size, at); }
