#define _GNU_SOURCE
#include "CInspectorSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter of system calls knows no such architecture"
#endif

enum { SOURCE = 3 };

// The C library asks for the status of a descriptor by a call that also takes paths, and the filter cannot see which. So the libraries get this one
// in its place, and that call stays closed.
int fstat(int descriptor, struct stat *status) {
    return (int)syscall(SYS_fstat, descriptor, status);
}

static int is_served;

void holdfast_source_is_served(void) { is_served = 1; }

// Returns when the range is there to be read: 0, or -1 and errno. Without a terminator, little-endian as these machines are: magic, offset, byte count.
static int ask_for(uint64_t offset, uint64_t byte_count) {
    struct { char magic[8]; uint64_t offset, byte_count; } request = { "HFINREAD", offset, byte_count };
    char reply;
    ssize_t count;
    // A pipe takes so few bytes at once or not at all.
    do count = write(STDOUT_FILENO, &request, sizeof request); while (count < 0 && errno == EINTR);
    if (count != sizeof request) return -1;
    do count = syscall(SYS_read, STDIN_FILENO, &reply, 1); while (count < 0 && errno == EINTR);
    if (count == 1 && reply == 0) return 0;
    errno = EIO;
    return -1;
}

// The libraries get this one in the place of the C library's.
ssize_t read(int descriptor, void *bytes, size_t byte_count) {
    if (is_served && descriptor == SOURCE) {
        off_t offset = lseek(SOURCE, 0, SEEK_CUR);
        if (offset < 0 || ask_for((uint64_t)offset, byte_count) != 0) return -1;
    }
    return syscall(SYS_read, descriptor, bytes, byte_count);
}

ssize_t holdfast_source_read(void *bytes, size_t byte_count, off_t offset) {
    if (is_served && ask_for((uint64_t)offset, byte_count) != 0) return -1;
    return pread(SOURCE, bytes, byte_count, offset);
}

int holdfast_sandbox_keep_only(int descriptor, int keeps_input) {
    if (descriptor != SOURCE && dup2(descriptor, SOURCE) < 0) return -1;
    if (syscall(SYS_close_range, SOURCE + 1, ~0u, 0) != 0) return -1;
    if (!keeps_input) close(STDIN_FILENO);
    return 0;
}

static int limit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit both = { soft, hard };
    return setrlimit(resource, &both);
}

int holdfast_sandbox_limit(uint64_t memory_byte_count, uint64_t cpu_seconds) {
    if (limit(RLIMIT_AS, memory_byte_count, memory_byte_count) != 0) return -1;
    // At the soft limit comes SIGXCPU, at the hard one SIGKILL.
    if (limit(RLIMIT_CPU, cpu_seconds, cpu_seconds + 1) != 0) return -1;
    if (limit(RLIMIT_CORE, 0, 0) != 0) return -1;
    if (limit(RLIMIT_NOFILE, 0, 0) != 0) return -1;
    return limit(RLIMIT_NPROC, 0, 0);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOW(number) (offsetof(struct seccomp_data, args) + 8 * (number))
#define LOAD_ARGUMENT(number) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(number))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define ALLOW ANSWER(SECCOMP_RET_ALLOW)
#define FAIL(error) ANSWER(SECCOMP_RET_ERRNO | (error))
// A call without conditions.
#define CALL(name, answer) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), answer
#define ON(name, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, count)
#define IS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define HAS(bits) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 0, 1)

// Arguments are compared in their low half, which is the first on these little-endian machines: descriptors and flags have no other.
static const struct sock_filter rules[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    // Numbers of the x32 interface are those of none of the calls below.
    CALL(read, ALLOW),
    CALL(pread64, ALLOW),
    CALL(lseek, ALLOW),
    CALL(fstat, ALLOW),
    CALL(close, ALLOW),
    ON(write, 5), LOAD_ARGUMENT(0), IS(STDOUT_FILENO), ALLOW, IS(STDERR_FILENO), ALLOW,
    LOAD(nr),
    ON(writev, 5), LOAD_ARGUMENT(0), IS(STDOUT_FILENO), ALLOW, IS(STDERR_FILENO), ALLOW,
    LOAD(nr),
    // Memory without a file, not executable.
    ON(mmap, 6), LOAD_ARGUMENT(2), HAS(PROT_EXEC), FAIL(EPERM), LOAD_ARGUMENT(4), IS(0xffffffff), ALLOW,
    LOAD(nr),
    ON(mprotect, 4), LOAD_ARGUMENT(2), HAS(PROT_EXEC), FAIL(EPERM), ALLOW,
    CALL(munmap, ALLOW),
    CALL(mremap, ALLOW),
    CALL(madvise, ALLOW),
    CALL(brk, ALLOW),
    // The sizes of a block device and its sectors.
    ON(ioctl, 10), LOAD_ARGUMENT(1), IS((uint32_t)BLKGETSIZE64), ALLOW, IS(BLKGETSIZE), ALLOW, IS(BLKSSZGET), ALLOW, IS(BLKPBSZGET), ALLOW, FAIL(ENOTTY),
    CALL(futex, ALLOW),
    CALL(sched_yield, ALLOW),
    CALL(sched_getaffinity, ALLOW),
    CALL(getpid, ALLOW),
    CALL(gettid, ALLOW),
    CALL(getuid, ALLOW),
    CALL(geteuid, ALLOW),
    CALL(getgid, ALLOW),
    CALL(getegid, ALLOW),
    CALL(getrandom, ALLOW),
    CALL(clock_gettime, ALLOW),
    CALL(gettimeofday, ALLOW),
    CALL(rt_sigaction, ALLOW),
    CALL(rt_sigprocmask, ALLOW),
    CALL(rt_sigreturn, ALLOW),
    CALL(fadvise64, ALLOW),
    CALL(exit, ALLOW),
    CALL(exit_group, ALLOW),
    // Whatever takes a path: libraries that look for files find that they may not.
#ifdef SYS_open
    CALL(open, FAIL(EACCES)),
    CALL(stat, FAIL(EACCES)),
    CALL(lstat, FAIL(EACCES)),
    CALL(access, FAIL(EACCES)),
    CALL(readlink, FAIL(EACCES)),
    CALL(creat, FAIL(EACCES)),
#endif
    CALL(openat, FAIL(EACCES)),
    CALL(openat2, FAIL(EACCES)),
    CALL(newfstatat, FAIL(EACCES)),
    CALL(statx, FAIL(EACCES)),
    CALL(faccessat, FAIL(EACCES)),
    CALL(faccessat2, FAIL(EACCES)),
    CALL(readlinkat, FAIL(EACCES)),
    FAIL(EPERM),
};

int holdfast_sandbox_seal(void) {
    struct sock_fprog program = { sizeof rules / sizeof rules[0], (struct sock_filter *)rules };
    // Nobody reads the answer when whoever asked has ended, and a disk that is held open cannot be taken away.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int outcome(long result) { return result < 0 ? errno : 0; }

int holdfast_attempt_open(void) { return outcome(open("/etc/hostname", O_RDONLY)); }
int holdfast_attempt_create(void) { return outcome(syscall(SYS_openat, AT_FDCWD, "/tmp/holdfast-inspect-was-here", O_CREAT | O_WRONLY, 0600)); }
int holdfast_attempt_stat(void) { struct stat status; return outcome(stat("/", &status)); }
int holdfast_attempt_socket(void) { return outcome(socket(AF_INET, SOCK_STREAM, 0)); }
int holdfast_attempt_fork(void) {
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return outcome(child);
}
int holdfast_attempt_kill(void) { return outcome(kill(getppid(), 0)); }
int holdfast_attempt_write_to_source(void) { return outcome(pwrite(SOURCE, "x", 1, 0)); }
int holdfast_attempt_trace(void) { return outcome(ptrace(PTRACE_TRACEME, 0, 0, 0)); }
int holdfast_attempt_duplicate(void) { return outcome(dup2(SOURCE, 9)); }
int holdfast_attempt_other_descriptor(void) {
    struct stat status;
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        if (descriptor != STDOUT_FILENO && descriptor != STDERR_FILENO && descriptor != SOURCE && fstat(descriptor, &status) == 0) return 0;
    }
    return EBADF;
}
int holdfast_attempt_executable_memory(void) {
    return mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}
int holdfast_attempt_exec(void) {
    char *const arguments[] = { "/bin/true", 0 };
    char *const environment[] = { 0 };
    return outcome(execve("/bin/true", arguments, environment));
}

int holdfast_source_device_byte_count(int descriptor, uint64_t *byte_count) {
    return ioctl(descriptor, BLKGETSIZE64, byte_count);
}
