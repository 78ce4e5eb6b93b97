"""A wall clock that steps for one process alone: a library laid before the C library's, told by a file."""

import mmap
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

_FILE = "HOTDESK_CHAOS_CLOCK"
_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *ahead;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("HOTDESK_CHAOS_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    void *page = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) ahead = page;
    close(file);
  }
}

int clock_gettime(clockid_t id, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, id, now);
  if (!failed && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
    int64_t moment = now->tv_sec * 1000000000LL + now->tv_nsec + *ahead;
    now->tv_sec = moment / 1000000000LL;
    now->tv_nsec = moment % 1000000000LL;
  }
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec moment;
  int failed = clock_gettime(CLOCK_REALTIME, &moment);
  if (!failed) { now->tv_sec = moment.tv_sec; now->tv_usec = moment.tv_nsec / 1000; }
  return failed;
}

time_t time(time_t *into) {
  struct timespec moment;
  if (clock_gettime(CLOCK_REALTIME, &moment)) return (time_t)-1;
  if (into) *into = moment.tv_sec;
  return moment.tv_sec;
}
"""


@dataclass(frozen=True)
class SteppingClock:
    """How far ahead of everybody the wall clock of one replica is."""

    library: Path
    file: Path

    @classmethod
    def make(cls, folder: Path) -> "SteppingClock":
        """Build the library, and set the clock right. `missing` must have found nothing."""
        folder.mkdir(parents=True, exist_ok=True)
        source, library, file = folder / "clock.c", folder / "clock.so", folder / "ahead"
        source.write_text(_SOURCE, encoding="ascii")
        built = subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", library, source], capture_output=True, text=True, check=False
        )
        assert built.returncode == 0, built.stderr
        file.write_bytes(bytes(mmap.PAGESIZE))
        return cls(library=library, file=file)

    @property
    def environment(self) -> dict[str, str]:
        """What a process has in its environment that lives by this clock."""
        return {"LD_PRELOAD": str(self.library), _FILE: str(self.file)}

    def step(self, seconds: float) -> None:
        """Let it be so far ahead from now on; negative: behind."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))


def missing() -> str:
    """Return what this computer lacks for it; nothing if it has all."""
    return "" if shutil.which("cc") else "a C compiler (cc), for a clock that steps"
