/* Counts, records and disturbs the system calls that write below a folder.
 *
 * Preloaded into a process, it does nothing until `calls_arm`. Then the writing calls of all threads
 * come one after another; call number `at` fails, or the process dies there. What was done is
 * recorded: lines of fields separated by tabs, each followed by the bytes that were written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What happens at the call: nothing; the process dies before it, or after half of a write; the call
 * fails; it and all later ones fail. */
enum { RECORD, KILL, TEAR, FAIL, FAIL_ON };
typedef char Path[PATH_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Path folder;
static long at, seen;
static int action, number, record = -1, armed;

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

void calls_arm(const char *path, long stop_at, int what, int error, int file) {
  snprintf(folder, sizeof folder, "%s", path);
  at = stop_at, action = what, number = error, record = file, seen = 0;
  armed = 1;
}

long calls_disarm(void) {
  armed = 0;
  return seen;
}

static void put(const char *data, size_t size) {
  while (size) {
    ssize_t done = REAL(write)(record, data, size);
    if (done <= 0) _exit(99);
    data += done, size -= done;
  }
}

static void note(const char *what, const char *path, const char *other, off_t offset,
                 const void *data, size_t size) {
  char line[3 * PATH_MAX];
  if (record < 0) return;
  put(line, snprintf(line, sizeof line, "%s\t%s\t%s\t%lld\t%zu\n", what, path, other,
                     (long long)offset, size));
  put(data, size);
}

/* Records a moment of the program, such as the return of a save. */
void calls_mark(const char *text) {
  pthread_mutex_lock(&lock);
  note("mark", text, "", 0, "", 0);
  pthread_mutex_unlock(&lock);
}

/* ----- paths */

static int below(const char *path) {
  size_t length = strlen(folder);
  return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

static int path_of(int fd, char *found) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, found, PATH_MAX - 1);
  found[length < 0 ? 0 : length] = 0;
  return below(found);
}

static int full_path(int directory, const char *path, char *found) {
  Path base;
  if (path[0] == '/') {
    snprintf(found, PATH_MAX, "%s", path);
    return below(found);
  }
  if (directory != AT_FDCWD)
    path_of(directory, base);
  else if (!getcwd(base, sizeof base))
    return 0;
  return snprintf(found, PATH_MAX, "%s/%s", base, path) < PATH_MAX && below(found);
}

/* ----- what happens at a call */

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Begins a call, with the bytes to write if any; returns whether it fails. */
static int fails(const char *what, const char *path, size_t *size, int grows) {
  pthread_mutex_lock(&lock);
  int here = ++seen == at;
  int half = here && size && *size > 1;
  if (here && (action == KILL || (action == TEAR && !half))) die();
  if (half && (action == TEAR || (action == FAIL_ON && number == ENOSPC))) {
    *size /= 2;
    return 0;
  }
  int all = action == FAIL_ON && seen >= at && (grows || number != ENOSPC);
  int failed = all || (here && action == FAIL);
  if (failed) note("failed", what, path, 0, "", 0);
  errno = number;
  return failed;
}

static void leave(void) {
  int error = errno;
  if (action == TEAR && seen == at) die();
  pthread_mutex_unlock(&lock);
  errno = error;
}

#define CALL(grows, real, what, path, other)            \
  int result = -1;                                      \
  if (!fails(what, path, NULL, grows)) {                \
    result = real;                                      \
    if (!result) note(what, path, other, 0, "", 0);     \
  }                                                     \
  leave();                                              \
  return result

/* ----- files */

static int open_at(int directory, const char *path, int flags, mode_t mode) {
  Path full;
  int makes = flags & (O_CREAT | O_TRUNC) && (flags & O_TMPFILE) != O_TMPFILE;
  int counts = armed && makes && full_path(directory, path, full);
  int exists = counts && !access(full, F_OK);
  if (!counts || (exists && (!(flags & O_TRUNC) || flags & O_EXCL)))
    return REAL(openat)(directory, path, flags, mode);
  const char *what = exists ? "truncate" : "create";
  int file = -1;
  if (!fails(what, full, NULL, 1)) {
    file = REAL(openat)(directory, path, flags, mode);
    if (file >= 0) note(what, full, "", 0, "", 0);
  }
  leave();
  return file;
}

static mode_t mode_of(int flags, va_list rest) {
  return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define PASS(directory)                                         \
  va_list rest;                                                 \
  va_start(rest, flags);                                        \
  mode_t mode = mode_of(flags, rest);                           \
  va_end(rest);                                                 \
  return open_at(directory, path, flags, mode)

int open(const char *path, int flags, ...) { PASS(AT_FDCWD); }
int open64(const char *path, int flags, ...) { PASS(AT_FDCWD); }
int openat(int directory, const char *path, int flags, ...) { PASS(directory); }
int openat64(int directory, const char *path, int flags, ...) { PASS(directory); }
int creat(const char *path, mode_t mode) {
  return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* Writes at an offset, or where the file stands if that is -1. */
static ssize_t write_at(int fd, const void *data, size_t size, off_t offset) {
  Path path;
  int counts = armed && fd != record && path_of(fd, path);
  if (!counts)
    return offset < 0 ? REAL(write)(fd, data, size) : REAL(pwrite)(fd, data, size, offset);
  ssize_t done = -1;
  if (!fails("write", path, &size, 1)) {
    int whence = fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR;
    off_t place = offset < 0 ? lseek(fd, 0, whence) : offset;
    done = offset < 0 ? REAL(write)(fd, data, size) : REAL(pwrite)(fd, data, size, offset);
    if (done >= 0) note("write", path, "", place, data, done);
  }
  leave();
  return done;
}

static ssize_t write_all(int fd, const struct iovec *parts, int count, off_t offset) {
  size_t size = 0, used = 0;
  for (int i = 0; i < count; i++) size += parts[i].iov_len;
  char *data = malloc(size + 1);
  for (int i = 0; i < count; used += parts[i++].iov_len)
    memcpy(data + used, parts[i].iov_base, parts[i].iov_len);
  ssize_t done = write_at(fd, data, size, offset);
  int error = errno;
  free(data);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *data, size_t size) { return write_at(fd, data, size, -1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return write_all(fd, parts, count, -1);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return write_all(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
  return write_all(fd, parts, count, offset);
}

static int synced(int fd, int (*real)(int)) {
  Path path;
  if (!armed || !path_of(fd, path)) return real(fd);
  CALL(0, real(fd), "sync", path, "");
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

static int cut(int fd, off_t size) {
  Path path;
  char length[32];
  if (!armed || !path_of(fd, path)) return REAL(ftruncate)(fd, size);
  snprintf(length, sizeof length, "%lld", (long long)size);
  CALL(1, REAL(ftruncate)(fd, size), "cut", path, length);
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

/* ----- names */

static int move(int from_directory, const char *from, int to_directory, const char *to,
                unsigned flags) {
  Path old, new;
  int counts = armed && full_path(from_directory, from, old);
  counts |= armed && full_path(to_directory, to, new);
  if (!counts) return REAL(renameat2)(from_directory, from, to_directory, to, flags);
  CALL(0, REAL(renameat2)(from_directory, from, to_directory, to, flags), "rename", old, new);
}

int rename(const char *from, const char *to) { return move(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  return move(from_directory, from, to_directory, to, 0);
}
int renameat2(int from_directory, const char *from, int to_directory, const char *to,
              unsigned flags) {
  return move(from_directory, from, to_directory, to, flags);
}

static int make_directory(int directory, const char *path, mode_t mode) {
  Path full;
  if (!armed || !full_path(directory, path, full) || !access(full, F_OK))
    return REAL(mkdirat)(directory, path, mode);
  CALL(1, REAL(mkdirat)(directory, path, mode), "mkdir", full, "");
}

int mkdir(const char *path, mode_t mode) { return make_directory(AT_FDCWD, path, mode); }
int mkdirat(int directory, const char *path, mode_t mode) {
  return make_directory(directory, path, mode);
}

static int drop(int directory, const char *path, int flags) {
  Path full;
  struct stat found;
  if (!armed || !full_path(directory, path, full) || lstat(full, &found))
    return REAL(unlinkat)(directory, path, flags);
  CALL(0, REAL(unlinkat)(directory, path, flags), "drop", full, "");
}

int unlink(const char *path) { return drop(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return drop(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  int result = unlink(path);
  return result && errno == EISDIR ? rmdir(path) : result;
}
int unlinkat(int directory, const char *path, int flags) { return drop(directory, path, flags); }

static int join(int from_directory, const char *from, int to_directory, const char *to, int flags) {
  Path old, new;
  if (!armed || !full_path(to_directory, to, new))
    return REAL(linkat)(from_directory, from, to_directory, to, flags);
  full_path(from_directory, from, old);
  CALL(1, REAL(linkat)(from_directory, from, to_directory, to, flags), "link", old, new);
}

int link(const char *from, const char *to) { return join(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
  return join(from_directory, from, to_directory, to, flags);
}
