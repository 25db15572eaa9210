/* A disk that fails: the k-th call that changes something below a folder is refused, or the last.

Preloaded into a process it sees what C libraries write, too.  What is counted is in memory that
forks share, so that a trial is a fork: `shim_arm` in it, `shim_count` in whoever waits for it.  */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ABORT = -1 };

static struct {
    long count;     /* calls so far */
    long at;        /* the one that fails; 0: none */
    int error;      /* errno, or ABORT */
    int lasting;    /* 1: all that take space after it fail, too, as on a full disk; 2: all */
    char folder[PATH_MAX];
    char call[PATH_MAX + 32]; /* what failed */
} *disk;

__attribute__((constructor)) static void begin(void) {
    disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (disk == MAP_FAILED) abort();
}

void shim_arm(const char *folder, long at, int error, int lasting) {
    disk->at = 0;
    disk->count = 0;
    disk->error = error;
    disk->lasting = lasting;
    disk->call[0] = 0;
    snprintf(disk->folder, sizeof disk->folder, "%s", folder);
    disk->at = at;
}

long shim_count(void) { return disk->count; }
const char *shim_call(void) { return disk->call; }

static int is_below(const char *path) {
    size_t length = strlen(disk->folder);
    return !strncmp(path, disk->folder, length) && (path[length] == '/' || !path[length]);
}

/* The absolute path of a file that is named from a folder. */
static void resolve(char *target, int at, const char *path) {
    char link[64], base[PATH_MAX] = "";
    if (path[0] != '/') {
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        ssize_t size = readlink(link, base, sizeof base - 2);
        base[size < 0 ? 0 : size] = 0;
        strcat(base, "/");
    }
    snprintf(target, PATH_MAX, "%s%s", base, path);
}

/* Whether a call is refused; errno says why.  */
static int refused(const char *call, int at, const char *path, int frees) {
    char whole[PATH_MAX];
    if (!disk->at) return 0;
    int before = errno;
    resolve(whole, at, path);
    errno = before;
    if (!is_below(whole)) return 0;
    long count = __atomic_add_fetch(&disk->count, 1, __ATOMIC_SEQ_CST);
    if (count < disk->at || (count > disk->at && disk->lasting <= frees)) return 0;
    if (count == disk->at) snprintf(disk->call, sizeof disk->call, "%s %s", call, whole);
    if (disk->error == ABORT) kill(getpid(), SIGKILL);
    errno = disk->error;
    return 1;
}

static int refused_fd(const char *call, int file) {
    char link[64], path[PATH_MAX];
    if (!disk->at) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    errno = before;
    if (size <= 0 || path[0] != '/') return 0;
    path[size] = 0;
    return refused(call, AT_FDCWD, path, 0);
}

#define FIND(name) if (!next) next = dlsym(RTLD_NEXT, #name)

#define OPEN(name, at, parameters, arguments)                                          \
    int name parameters {                                                              \
        static int (*next) parameters;                                                 \
        mode_t mode = 0;                                                               \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                         \
            va_list rest;                                                              \
            va_start(rest, flags);                                                     \
            mode = va_arg(rest, mode_t);                                               \
            va_end(rest);                                                              \
        }                                                                              \
        FIND(name);                                                                    \
        if ((flags & O_ACCMODE) != O_RDONLY && refused("open", at, path, 0)) return -1; \
        return next arguments;                                                         \
    }
#define ON_FILE(result, name, call, parameters, arguments)                             \
    result name parameters {                                                           \
        static result (*next) parameters;                                              \
        FIND(name);                                                                    \
        return refused_fd(call, file) ? -1 : next arguments;                           \
    }
#define ON_PATH(name, call, at, path, frees, parameters, arguments)                    \
    int name parameters {                                                              \
        static int (*next) parameters;                                                 \
        FIND(name);                                                                    \
        return refused(call, at, path, frees) ? -1 : next arguments;                   \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, at, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPEN(openat64, at, (int at, const char *path, int flags, ...), (at, path, flags, mode))

ON_FILE(ssize_t, write, "write", (int file, const void *data, size_t size), (file, data, size))
ON_FILE(ssize_t, pwrite, "write", (int file, const void *data, size_t size, off_t place),
        (file, data, size, place))
ON_FILE(ssize_t, pwrite64, "write", (int file, const void *data, size_t size, off64_t place),
        (file, data, size, place))
ON_FILE(ssize_t, writev, "write", (int file, const struct iovec *data, int count),
        (file, data, count))
ON_FILE(int, ftruncate, "truncate", (int file, off_t size), (file, size))
ON_FILE(int, ftruncate64, "truncate", (int file, off64_t size), (file, size))
ON_FILE(int, fsync, "sync", (int file), (file))
ON_FILE(int, fdatasync, "sync", (int file), (file))

ON_PATH(rename, "rename", AT_FDCWD, to, 0, (const char *from, const char *to), (from, to))
ON_PATH(renameat, "rename", there, to, 0, (int here, const char *from, int there, const char *to),
        (here, from, there, to))
ON_PATH(mkdir, "mkdir", AT_FDCWD, path, 0, (const char *path, mode_t mode), (path, mode))
ON_PATH(mkdirat, "mkdir", at, path, 0, (int at, const char *path, mode_t mode), (at, path, mode))
ON_PATH(unlink, "unlink", AT_FDCWD, path, 1, (const char *path), (path))
ON_PATH(unlinkat, "unlink", at, path, 1, (int at, const char *path, int flags), (at, path, flags))
ON_PATH(rmdir, "unlink", AT_FDCWD, path, 1, (const char *path), (path))
