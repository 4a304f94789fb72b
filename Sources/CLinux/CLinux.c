#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/fsmap.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x00000080
#endif

const int holdfast_o_direct = O_DIRECT;
const int holdfast_o_tmpfile = O_TMPFILE;
const int holdfast_o_path = O_PATH;
const int holdfast_seek_data = SEEK_DATA;
const int holdfast_seek_hole = SEEK_HOLE;
const int holdfast_spawn_session = POSIX_SPAWN_SETSID;

int holdfast_open(const char *path, int flags, unsigned int mode) { return open(path, flags, mode); }
int holdfast_openat(int directory, const char *path, int flags, unsigned int mode) { return openat(directory, path, flags, mode); }

int holdfast_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

int holdfast_memory_file(const char *name, uint64_t byte_count) {
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    if (descriptor >= 0 && ftruncate(descriptor, (off_t)byte_count) != 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

int holdfast_rename_no_replace(const char *from, const char *to) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */);
}

int holdfast_clear_direct(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags & ~O_DIRECT);
}

int holdfast_try_lock(int descriptor) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

int holdfast_lock(int descriptor) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    return fcntl(descriptor, F_OFD_SETLKW, &lock);
}

int holdfast_device_byte_count(int descriptor, uint64_t *byte_count) { return ioctl(descriptor, BLKGETSIZE64, byte_count); }
int holdfast_device_logical_sector(int descriptor, uint32_t *byte_count) { return ioctl(descriptor, BLKSSZGET, byte_count); }
int holdfast_device_physical_sector(int descriptor, uint32_t *byte_count) { return ioctl(descriptor, BLKPBSZGET, byte_count); }
int holdfast_device_flush_cache(int descriptor) { return ioctl(descriptor, BLKFLSBUF, 0); }

int holdfast_device_reread_partitions(int descriptor) { return ioctl(descriptor, BLKRRPART); }

int holdfast_device_discard(int descriptor, uint64_t offset, uint64_t byte_count) {
    uint64_t range[2] = {offset, byte_count};
    return ioctl(descriptor, BLKDISCARD, range);
}

int holdfast_device_zero_out(int descriptor, uint64_t offset, uint64_t byte_count) {
    uint64_t range[2] = {offset, byte_count};
    return ioctl(descriptor, BLKZEROOUT, range);
}

int holdfast_punch_hole(int descriptor, uint64_t offset, uint64_t byte_count) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)byte_count);
}

intptr_t holdfast_read_uncached(int descriptor, void *bytes, size_t byte_count, int64_t offset) {
    struct iovec vector = {.iov_base = bytes, .iov_len = byte_count};
    return preadv2(descriptor, &vector, 1, offset, RWF_DONTCACHE);
}

int64_t holdfast_cached_page_count(int descriptor, uint64_t offset, uint64_t byte_count) {
    // Linux 6.5; neither glibc 2.36 nor its headers know it. The number is the same on all architectures.
    struct { uint64_t offset, byte_count; } range = {offset, byte_count};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } pages;
    return syscall(451, descriptor, &range, &pages, 0) == 0 ? (int64_t)pages.cached : -1;
}

int holdfast_io_priority(void) { return (int)syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, 0); }
int holdfast_set_io_priority(int priority) { return (int)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, priority); }
int holdfast_idle_io_priority(void) { return holdfast_set_io_priority(3 << 13 /* IOPRIO_CLASS_IDLE */); }

void holdfast_keep_large_blocks(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    mallopt(M_ARENA_MAX, 4);
}

int holdfast_forbid_core_dumps(void) {
    struct rlimit none = {0, 0};
    int limited = setrlimit(RLIMIT_CORE, &none);
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) | limited;
}

uint64_t holdfast_file_system_type(const char *path) {
    struct statfs information;
    return statfs(path, &information) == 0 ? (uint64_t)information.f_type : 0;
}

uint64_t holdfast_available_bytes(const char *path) {
    struct statfs information;
    if (statfs(path, &information) != 0 || information.f_blocks == 0) return UINT64_MAX;
    return (uint64_t)information.f_bavail * (uint64_t)information.f_bsize;
}

uint64_t holdfast_available_memory(void) {
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) return UINT64_MAX;
    unsigned long long kibibytes, memory = 0, swap = 0;
    int found = 0;
    char line[128];
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1) memory = kibibytes, found = 1;
        if (sscanf(line, "SwapFree: %llu kB", &kibibytes) == 1) swap = kibibytes;
    }
    fclose(file);
    return found ? (memory + swap) << 10 : UINT64_MAX;
}

uint32_t holdfast_major(uint64_t device) { return major(device); }
uint32_t holdfast_minor(uint64_t device) { return minor(device); }

int64_t holdfast_free_ranges(int descriptor, size_t count_max, holdfast_range **ranges) {
    enum { batch = 1024 };
    struct stat status;
    struct fsmap_head *head = fstat(descriptor, &status) == 0 ? calloc(1, sizeof *head + batch * sizeof head->fmh_recs[0]) : NULL;
    if (head == NULL) return -1;
    size_t count = 0, capacity = 0;
    *ranges = NULL;
    // As the kernel codes device numbers for programs.
    uint32_t device = (minor(status.st_dev) & 0xff) | major(status.st_dev) << 8 | (minor(status.st_dev) & ~0xffu) << 12;
    head->fmh_keys[0].fmr_device = device;
    head->fmh_keys[1] = (struct fsmap){.fmr_device = device, .fmr_flags = ~0u, .fmr_physical = ~0ull, .fmr_owner = ~0ull, .fmr_offset = ~0ull};
    int is_last = 0;
    while (!is_last) {
        head->fmh_count = batch;
        head->fmh_entries = 0;
        if (ioctl(descriptor, FS_IOC_GETFSMAP, head) != 0) goto failed;
        if (head->fmh_entries == 0) break;
        for (uint32_t at = 0; at < head->fmh_entries && count < count_max; at++) {
            struct fsmap *record = &head->fmh_recs[at];
            if (record->fmr_device != device || !(record->fmr_flags & FMR_OF_SPECIAL_OWNER) || record->fmr_owner != FMR_OWN_FREE) continue;
            if (count == capacity) {
                capacity = capacity == 0 ? batch : 2 * capacity;
                holdfast_range *larger = realloc(*ranges, capacity * sizeof **ranges);
                if (larger == NULL) goto failed;
                *ranges = larger;
            }
            (*ranges)[count++] = (holdfast_range){record->fmr_physical, record->fmr_length};
        }
        is_last = count == count_max || (head->fmh_recs[head->fmh_entries - 1].fmr_flags & FMR_OF_LAST) != 0;
        head->fmh_keys[0] = head->fmh_recs[head->fmh_entries - 1];
    }
    free(head);
    return (int64_t)count;
failed:;
    int error = errno;
    free(head);
    free(*ranges);
    *ranges = NULL;
    errno = error;
    return -1;
}

int holdfast_freeze(int descriptor) { return ioctl(descriptor, FIFREEZE, 0); }
int holdfast_thaw(int descriptor) { return ioctl(descriptor, FITHAW, 0); }
int holdfast_lock_memory(void) { return mlockall(MCL_CURRENT); }

void holdfast_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int holdfast_usable_cores(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}
