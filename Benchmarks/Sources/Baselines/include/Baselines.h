// What the Swift kernels are measured against. Each works through all of `bytes` and returns something that depends on it.
#ifndef BASELINES_H
#define BASELINES_H

#include <stddef.h>
#include <stdint.h>

// Readies libsodium and makes malloc keep large blocks, as the tool does.
void baseline_prepare(void);
uint64_t baseline_copy(const uint8_t *bytes, size_t byte_count, uint8_t *destination);
// The number of chunks, cut like `cutPoint` cuts them.
uint64_t baseline_gear(const uint8_t *bytes, size_t byte_count, const uint8_t table[2048], size_t average);
uint64_t baseline_hmac(const uint8_t *bytes, size_t byte_count, size_t piece, const uint8_t key[32]);
uint64_t baseline_xxh3(const uint8_t *bytes, size_t byte_count, size_t piece);
// Frames one after another, `piece` apart in `destination`; their lengths in `lengths`; 0 where a frame was not worth it.
uint64_t baseline_compress(const uint8_t *bytes, size_t byte_count, size_t piece, int level, uint8_t *destination, size_t *lengths);
// Decodes what `baseline_compress` wrote.
uint64_t baseline_decompress(const uint8_t *frames, const size_t *lengths, size_t byte_count, size_t piece, uint8_t *destination);
uint64_t baseline_xchacha(const uint8_t *bytes, size_t byte_count, size_t piece, const uint8_t key[32], uint8_t *destination);

#endif
