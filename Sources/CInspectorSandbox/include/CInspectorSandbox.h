// How a process gives up every right but to read one descriptor and to write to its standard output and error.
#ifndef HOLDFAST_CINSPECTORSANDBOX_H
#define HOLDFAST_CINSPECTORSANDBOX_H

#include <stdint.h>
#include <sys/types.h>

// Makes `descriptor` descriptor 3 and closes all above, and standard input unless `keeps_input`: 0, or -1 and errno.
int holdfast_sandbox_keep_only(int descriptor, int keeps_input);
// From now on what is read of descriptor 3, also by libraries, is asked for beforehand: on standard output, answered on standard input (Specs/inspection.md).
void holdfast_source_is_served(void);
// pread(2) of descriptor 3
ssize_t holdfast_source_read(void *bytes, size_t byte_count, off_t offset);
// Address space, processor time, no core, no new descriptors, no new processes: 0, or -1 and errno.
int holdfast_sandbox_limit(uint64_t memory_byte_count, uint64_t cpu_seconds);
// PR_SET_NO_NEW_PRIVS and the filter of system calls, for good: 0, or -1 and errno.
int holdfast_sandbox_seal(void);

// What must fail afterwards; each gives 0 if it succeeded, else errno.
int holdfast_attempt_open(void);
int holdfast_attempt_create(void);
int holdfast_attempt_stat(void);
int holdfast_attempt_socket(void);
int holdfast_attempt_exec(void);
int holdfast_attempt_fork(void);
int holdfast_attempt_kill(void);
int holdfast_attempt_write_to_source(void);
int holdfast_attempt_executable_memory(void);
int holdfast_attempt_trace(void);
int holdfast_attempt_duplicate(void);
int holdfast_attempt_other_descriptor(void);

// ioctl(2) BLKGETSIZE64 on descriptor 3
int holdfast_source_device_byte_count(int descriptor, uint64_t *byte_count);

#endif
