#define _GNU_SOURCE
#include "CProgramStart.h"

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
void *mmap(void *address, size_t byte_count, int protection, int flags, int descriptor, off_t offset) {
    int is_large = byte_count >= (size_t)64 << 20 && (flags & MAP_ANONYMOUS) && address == 0;
    void *memory = (void *)syscall(SYS_mmap, address, byte_count, protection, is_large ? flags & ~MAP_POPULATE : flags, descriptor, offset);
    // Advice; it changes speed alone.
    if (is_large && memory != MAP_FAILED) madvise(memory, byte_count, MADV_HUGEPAGE);
    return memory;
}
