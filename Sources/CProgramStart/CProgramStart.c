#include "CProgramStart.h"

#include <unistd.h>

// The Swift runtime takes a program's arguments from /proc. Where that is not mounted, as in a shell that the kernel started, a program sees none of them,
// and one that is linked statically is aborted before it begins. The least priority that is ours to use comes before the runtime's own.
__attribute__((constructor(101))) static void require_proc(void) {
    if (access("/proc/self/cmdline", R_OK) == 0) return;
    static const char message[] = "holdfast: /proc is not mounted, and is needed; mount it: mount -t proc proc /proc\n";
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(2);
    _exit(1);
}
