// XXH3 of libxxhash, with the widest instructions that it has code for and the processor knows.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t low;
    uint64_t high;
} holdfast_hash128;

// XXH3-64 without a secret.
uint64_t holdfast_xxh3_64(const void *bytes, size_t byte_count);

// XXH3-64 and XXH3-128 with a secret of 136 bytes or more.
uint64_t holdfast_xxh3_64_with_secret(const void *bytes, size_t byte_count, const void *secret, size_t secret_byte_count);
holdfast_hash128 holdfast_xxh3_128_with_secret(const void *bytes, size_t byte_count, const void *secret, size_t secret_byte_count);
