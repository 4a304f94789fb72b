// The Linux constants and variadic calls that Swift cannot import, and nothing else.
#ifndef HOLDFAST_CLINUX_H
#define HOLDFAST_CLINUX_H

#include <stddef.h>
#include <stdint.h>

extern const int holdfast_o_direct;
extern const int holdfast_o_tmpfile;
extern const int holdfast_o_path;
extern const int holdfast_seek_data;
extern const int holdfast_seek_hole;
// posix_spawnattr_setflags(3) POSIX_SPAWN_SETSID
extern const int holdfast_spawn_session;

// open(2), openat(2)
int holdfast_open(const char *path, int flags, unsigned int mode);
int holdfast_openat(int directory, const char *path, int flags, unsigned int mode);
// pipe2(2) with O_CLOEXEC: the reading side, then the writing side
int holdfast_pipe(int *ends);
// renameat2(2) with RENAME_NOREPLACE
int holdfast_rename_no_replace(const char *from, const char *to);
// fcntl(2): clears O_DIRECT on an open descriptor
int holdfast_clear_direct(int descriptor);
// fcntl(2) F_OFD_SETLK, whole file: 0 locked, -1 errno
int holdfast_try_lock(int descriptor);

// fcntl(2) F_OFD_SETLKW, whole file; waits: 0 locked, -1 errno
int holdfast_lock(int descriptor);
// ioctl(2) BLKGETSIZE64, BLKSSZGET, BLKPBSZGET, BLKFLSBUF
int holdfast_device_byte_count(int descriptor, uint64_t *byte_count);
int holdfast_device_logical_sector(int descriptor, uint32_t *byte_count);
int holdfast_device_physical_sector(int descriptor, uint32_t *byte_count);
int holdfast_device_flush_cache(int descriptor);
// ioctl(2) BLKRRPART: the kernel reads the partition table again
int holdfast_device_reread_partitions(int descriptor);
// ioctl(2) BLKDISCARD, BLKZEROOUT over a byte range
int holdfast_device_discard(int descriptor, uint64_t offset, uint64_t byte_count);
int holdfast_device_zero_out(int descriptor, uint64_t offset, uint64_t byte_count);
// fallocate(2) FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
int holdfast_punch_hole(int descriptor, uint64_t offset, uint64_t byte_count);
// memfd_create(2) and ftruncate(2): a file in memory of that length that holds nothing; closed when another program is started. -1 and errno on error
int holdfast_memory_file(const char *name, uint64_t byte_count);
// preadv2(2) with RWF_DONTCACHE; EOPNOTSUPP where the kernel or file system has no such flag
intptr_t holdfast_read_uncached(int descriptor, void *bytes, size_t byte_count, int64_t offset);
// cachestat(2): how many pages of a range the page cache holds; -1 where the kernel does not tell
int64_t holdfast_cached_page_count(int descriptor, uint64_t offset, uint64_t byte_count);
// ioprio_set(2): this thread into the idle class
int holdfast_idle_io_priority(void);
// ioprio_get(2), ioprio_set(2) for this thread; 0 is the usual
int holdfast_io_priority(void);
int holdfast_set_io_priority(int priority);
// mallopt(3): keep large blocks instead of returning them to the kernel on every free
void holdfast_keep_large_blocks(void);
// prctl(2) PR_SET_DUMPABLE 0 and setrlimit(2) RLIMIT_CORE 0
int holdfast_forbid_core_dumps(void);
// ioctl(2) FIFREEZE, FITHAW on any descriptor of a file system
int holdfast_freeze(int descriptor);
// ioctl_getfsmap(2): what a mounted file system does not use of its own device, in order, at most count_max ranges; to be freed with free(3). −1 and errno on error
typedef struct { uint64_t offset, byte_count; } holdfast_range;
int64_t holdfast_free_ranges(int descriptor, size_t count_max, holdfast_range **ranges);
int holdfast_thaw(int descriptor);
// mlockall(2) MCL_CURRENT: what the process has in memory stays there
int holdfast_lock_memory(void);
// pthread_setname_np(3) for the calling thread
void holdfast_name_thread(const char *name);
// sched_getaffinity(2): how many cores this process may run on, at least 1
int holdfast_usable_cores(void);
// statfs(2): the file system's magic number, 0 and errno on error
uint64_t holdfast_file_system_type(const char *path);
// statfs(2): bytes that may still be stored there, UINT64_MAX where nothing is told
uint64_t holdfast_available_bytes(const char *path);
// proc(5), meminfo: bytes of memory and swap that a program could have now, UINT64_MAX where nothing is told
uint64_t holdfast_available_memory(void);
// major and minor of a device number
uint32_t holdfast_major(uint64_t device);
uint32_t holdfast_minor(uint64_t device);

#endif
