#define _GNU_SOURCE
#include "CProgramStart.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// The Swift runtime takes a program's arguments from /proc. Where that is not mounted, as in a shell that the kernel started, a program sees none of them,
// and one that is linked statically is aborted before it begins. The least priority that is ours to use comes before the runtime's own.
__attribute__((constructor(101))) static void require_proc(void) {
    if (access("/proc/self/cmdline", R_OK) == 0) return;
    static const char message[] = "holdfast: /proc is not mounted, and is needed; mount it: mount -t proc proc /proc\n";
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(2);
    _exit(1);
}

// libsodium maps 256 MiB for a password and goes through them at random, a kibibyte at a time. In pages of 4 KiB, which is all that it asks for, nearly each
// step misses the processor's table of pages: a quarter of the time. So the libraries get this one in the C library's place: large memory without a file is had in
// large pages, which the kernel then does not fill beforehand, one small page after another.
// To find and to clear them takes up to a third of the whole time where most memory holds cached files. A thread of its own does that ahead of the one that computes.
static pthread_mutex_t ahead_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    void *memory;
    size_t byte_count;
    pthread_t thread;
} ahead;

static int has_another_processor(void) {
    cpu_set_t usable;
    return sched_getaffinity(0, sizeof usable, &usable) == 0 && CPU_COUNT(&usable) > 1;
}

static void *draw_pages(void *unused) {
    (void)unused;
    // Advice as well: where the kernel does not know it, pages come when they are needed.
    madvise(ahead.memory, ahead.byte_count, MADV_POPULATE_WRITE);
    return NULL;
}

void *mmap(void *address, size_t byte_count, int protection, int flags, int descriptor, off_t offset) {
    int is_large = byte_count >= (size_t)64 << 20 && (flags & MAP_ANONYMOUS) && (protection & PROT_WRITE) && address == NULL;
    void *memory = (void *)syscall(SYS_mmap, address, byte_count, protection, is_large ? flags & ~MAP_POPULATE : flags, descriptor, offset);
    if (!is_large || memory == MAP_FAILED) return memory;
    madvise(memory, byte_count, MADV_HUGEPAGE);
    pthread_mutex_lock(&ahead_lock);
    if (ahead.memory == NULL && has_another_processor()) {
        ahead.memory = memory;
        ahead.byte_count = byte_count;
        if (pthread_create(&ahead.thread, NULL, draw_pages, NULL) != 0) ahead.memory = NULL;
    }
    pthread_mutex_unlock(&ahead_lock);
    return memory;
}

int munmap(void *memory, size_t byte_count) {
    // What follows in the same place is not to be filled.
    pthread_mutex_lock(&ahead_lock);
    if (ahead.memory != NULL && ahead.memory == memory) {
        pthread_join(ahead.thread, NULL);
        ahead.memory = NULL;
    }
    pthread_mutex_unlock(&ahead_lock);
    return (int)syscall(SYS_munmap, memory, byte_count);
}
