#include "CXXHash.h"

#include <xxhash.h>

uint64_t holdfast_xxh3_64(const void *bytes, size_t byte_count) { return XXH3_64bits(bytes, byte_count); }

#if defined(__x86_64__)

// libxxhash's plain functions have the instructions that every such processor knows; these choose, at three times the speed with AVX-512. A library without them,
// as the static one may be, leaves them null.
extern XXH64_hash_t XXH3_64bits_withSecret_dispatch(const void *, size_t, const void *, size_t) __attribute__((weak));
extern XXH128_hash_t XXH3_128bits_withSecret_dispatch(const void *, size_t, const void *, size_t) __attribute__((weak));

// They leave the upper halves of wide registers in use, and then all SSE instructions of whoever comes next wait for what they do not need: a third of their speed.
static inline void leave_wide_registers(void) {
    if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroupper");
}

uint64_t holdfast_xxh3_64_with_secret(const void *bytes, size_t byte_count, const void *secret, size_t secret_byte_count) {
    if (!XXH3_64bits_withSecret_dispatch) return XXH3_64bits_withSecret(bytes, byte_count, secret, secret_byte_count);
    uint64_t hash = XXH3_64bits_withSecret_dispatch(bytes, byte_count, secret, secret_byte_count);
    leave_wide_registers();
    return hash;
}

holdfast_hash128 holdfast_xxh3_128_with_secret(const void *bytes, size_t byte_count, const void *secret, size_t secret_byte_count) {
    XXH128_hash_t hash;
    if (XXH3_128bits_withSecret_dispatch) {
        hash = XXH3_128bits_withSecret_dispatch(bytes, byte_count, secret, secret_byte_count);
        leave_wide_registers();
    } else {
        hash = XXH3_128bits_withSecret(bytes, byte_count, secret, secret_byte_count);
    }
    return (holdfast_hash128){hash.low64, hash.high64};
}

#else

uint64_t holdfast_xxh3_64_with_secret(const void *bytes, size_t byte_count, const void *secret, size_t secret_byte_count) {
    return XXH3_64bits_withSecret(bytes, byte_count, secret, secret_byte_count);
}

holdfast_hash128 holdfast_xxh3_128_with_secret(const void *bytes, size_t byte_count, const void *secret, size_t secret_byte_count) {
    XXH128_hash_t hash = XXH3_128bits_withSecret(bytes, byte_count, secret, secret_byte_count);
    return (holdfast_hash128){hash.low64, hash.high64};
}

#endif
