/* What a power cut leaves of an append-only file, for tests/bench/lost.py: preloaded into an engine,
 * it writes down, for each file, how long it was when the disk was last told to keep it.
 *
 *   LD_PRELOAD=synced.so SYNCED_DIR=<folder> valkey-server ...
 *
 * The length is taken before the call: what is written meanwhile may not be on the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(int fd, off_t length) {
  char link[64], path[PATH_MAX], kept[PATH_MAX + 64];
  const char *folder = getenv("SYNCED_DIR");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (folder == NULL || size <= 0) return;
  path[size] = 0;
  const char *name = strrchr(path, '/');
  if (name == NULL || strstr(name, ".aof") == NULL) return;
  snprintf(kept, sizeof kept, "%s%s", folder, name);
  int out = open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (out < 0) return;
  char text[32];
  int count = snprintf(text, sizeof text, "%020lld", (long long)length);
  if (pwrite(out, text, count, 0) != count) abort();
  close(out);
}

static int synced(int fd, const char *name) {
  struct stat before;
  int known = fstat(fd, &before) == 0;
  int (*real)(int) = dlsym(RTLD_NEXT, name);
  int result = real(fd);
  if (result == 0 && known) note(fd, before.st_size);
  return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
