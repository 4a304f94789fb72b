// HMAC-SHA-256 of many messages side by side, and AES-256-GCM in place, by Intel's multi-buffer library. Its interface is macros over a table of
// functions, which Swift cannot call.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Longest message, in bytes: the library counts in 16 bits.
#define HOLDFAST_HMAC_BYTE_COUNT_MAX 65534
/// Most messages of one call.
#define HOLDFAST_HMAC_COUNT_MAX 128

/// State of one thread's calls. 80 KiB; a few milliseconds to make.
typedef struct holdfast_hmac holdfast_hmac;

/// A key in the form in which it is used: the states after its inner and its outer block.
typedef struct {
    uint8_t inner[32];
    uint8_t outer[32];
} holdfast_hmac_key;

/// NULL if memory is short, or if the processor is not one that the library knows.
holdfast_hmac *holdfast_hmac_new(void);
void holdfast_hmac_free(holdfast_hmac *state);

void holdfast_hmac_prepare(holdfast_hmac *state, const uint8_t key[32], holdfast_hmac_key *prepared);

/// Writes to `codes` 32 bytes for each message, which begin at `offsets` from `bytes` on. Returns 0, or -1 if the library refused: then nothing in
/// `codes` may be used.
int holdfast_hmac_all(
    holdfast_hmac *state, const holdfast_hmac_key *key, const void *bytes, const size_t *offsets, const size_t *byte_counts, size_t count,
    uint8_t *codes);

/// State of one thread's calls of AES-256-GCM.
typedef struct holdfast_gcm holdfast_gcm;

/// NULL if memory is short, or if the processor has no instructions for it.
holdfast_gcm *holdfast_gcm_new(void);
void holdfast_gcm_free(holdfast_gcm *state);

/// Encrypts `byte_count` bytes from `from` to `to`, which may be the same, under a key that is used once: the nonce is 12 zeros.
void holdfast_gcm_seal(
    holdfast_gcm *state, const uint8_t key[32], const uint8_t *associated, size_t associated_byte_count, const void *from, void *to, size_t byte_count,
    uint8_t tag[16]);

/// Decrypts `byte_count` bytes in place. Returns 0, or -1 if the tag does not fit: then they are zeros.
int holdfast_gcm_open(
    holdfast_gcm *state, const uint8_t key[32], const uint8_t *associated, size_t associated_byte_count, void *bytes, size_t byte_count,
    const uint8_t tag[16]);

/// Decrypts, in place, `byte_count` bytes that stand `offset` bytes into the ciphertext, a multiple of 16. No tag tells whether they are right. Returns 0, or
/// -1 if the library refused.
int holdfast_gcm_open_part(holdfast_gcm *state, const uint8_t key[32], void *bytes, size_t byte_count, uint64_t offset);
