/* Loaded before a server (LD_PRELOAD): makes every fsync and fdatasync take SLOW_DISK_US microseconds longer, as on a
   disk that is not local. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int fd) {
  const char *us = getenv("SLOW_DISK_US");
  if (us != NULL) usleep((useconds_t)atoi(us));
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
