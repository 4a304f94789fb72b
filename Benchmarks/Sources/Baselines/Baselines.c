#include "Baselines.h"
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#if defined(__x86_64__)
// The widest instructions that the processor knows.
#include <xxh_x86dispatch.h>
#endif
#include <zstd.h>

static size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

void baseline_prepare(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    if (sodium_init() < 0) abort();
}

uint64_t baseline_copy(const uint8_t *bytes, size_t byte_count, uint8_t *destination) {
    memcpy(destination, bytes, byte_count);
    return destination[byte_count / 2];
}

uint64_t baseline_gear(const uint8_t *bytes, size_t byte_count, const uint8_t table[2048], size_t average) {
    uint64_t words[256];
    memcpy(words, table, sizeof words);
    const size_t minimum = average / 2, maximum = average * 4;
    const uint64_t threshold = (UINT64_C(1) << 63) / minimum * 2;
    uint64_t chunk_count = 0;
    for (size_t start = 0; start < byte_count; chunk_count++) {
        if (byte_count - start <= minimum) return chunk_count + 1;
        const size_t limit = smaller(byte_count, start + maximum);
        size_t position = start + minimum - 64;
        uint64_t hash = 0;
        for (; position < start + minimum; position++) hash = (hash << 1) + words[bytes[position]];
        while (position < limit) {
            hash = (hash << 1) + words[bytes[position++]];
            if (hash < threshold) break;
        }
        start = position;
    }
    return chunk_count;
}

uint64_t baseline_hmac(const uint8_t *bytes, size_t byte_count, size_t piece, const uint8_t key[32]) {
    uint64_t sum = 0;
    for (size_t start = 0; start < byte_count; start += piece) {
        uint8_t code[crypto_auth_hmacsha256_BYTES];
        crypto_auth_hmacsha256(code, bytes + start, smaller(piece, byte_count - start), key);
        sum += code[0];
    }
    return sum;
}

uint64_t baseline_xxh3(const uint8_t *bytes, size_t byte_count, size_t piece) {
    uint64_t sum = 0;
    for (size_t start = 0; start < byte_count; start += piece) {
        sum += XXH3_128bits(bytes + start, smaller(piece, byte_count - start)).low64;
    }
    return sum;
}

uint64_t baseline_compress(const uint8_t *bytes, size_t byte_count, size_t piece, int level, uint8_t *destination, size_t *lengths) {
    ZSTD_CCtx *compressor = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, level);
    // The tables that segments are searched with at level 3.
    ZSTD_CCtx_setParameter(compressor, ZSTD_c_hashLog, 16);
    ZSTD_CCtx_setParameter(compressor, ZSTD_c_chainLog, 15);
    uint64_t sum = 0;
    for (size_t start = 0, index = 0; start < byte_count; start += piece, index++) {
        const size_t source = smaller(piece, byte_count - start);
        const size_t result = ZSTD_compress2(compressor, destination + start, source, bytes + start, source);
        lengths[index] = ZSTD_isError(result) ? 0 : result;
        sum += lengths[index];
    }
    ZSTD_freeCCtx(compressor);
    return sum;
}

uint64_t baseline_decompress(const uint8_t *frames, const size_t *lengths, size_t byte_count, size_t piece, uint8_t *destination) {
    ZSTD_DCtx *decompressor = ZSTD_createDCtx();
    uint64_t sum = 0;
    for (size_t start = 0, index = 0; start < byte_count; start += piece, index++) {
        if (lengths[index] == 0) continue;
        const size_t result = ZSTD_decompressDCtx(decompressor, destination, piece, frames + start, lengths[index]);
        if (ZSTD_isError(result)) abort();
        sum += result;
    }
    ZSTD_freeDCtx(decompressor);
    return sum;
}

uint64_t baseline_xchacha(const uint8_t *bytes, size_t byte_count, size_t piece, const uint8_t key[32], uint8_t *destination) {
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint64_t sum = 0;
    for (size_t start = 0; start < byte_count; start += piece) {
        unsigned long long sealed = 0;
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            destination, &sealed, bytes + start, smaller(piece, byte_count - start), NULL, 0, NULL, nonce, key);
        sum += destination[0];
    }
    return sum;
}
