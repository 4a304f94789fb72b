#include "CIPSecMB.h"

#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

struct holdfast_hmac {
    IMB_MGR *manager;
    IMB_JOB jobs[HOLDFAST_HMAC_COUNT_MAX];
};

holdfast_hmac *holdfast_hmac_new(void) {
    holdfast_hmac *state = calloc(1, sizeof *state);
    if (state == NULL) return NULL;
    state->manager = alloc_mb_mgr(0);
    IMB_ARCH found = IMB_ARCH_NONE;
    if (state->manager != NULL) init_mb_mgr_auto(state->manager, &found);
    // With AVX2 alone the library takes eight lanes of it, at less than half the speed of two streams in the SHA instructions, which it has under SSE.
    if (found != IMB_ARCH_NONE && found < IMB_ARCH_AVX512 && (state->manager->features & IMB_FEATURE_SHANI) != 0) init_mb_mgr_sse(state->manager);
    if (state->manager == NULL || found == IMB_ARCH_NONE || imb_get_errno(state->manager) != 0) {
        holdfast_hmac_free(state);
        return NULL;
    }
    return state;
}

void holdfast_hmac_free(holdfast_hmac *state) {
    if (state->manager != NULL) free_mb_mgr(state->manager);
    free(state);
}

void holdfast_hmac_prepare(holdfast_hmac *state, const uint8_t key[32], holdfast_hmac_key *prepared) {
    uint8_t block[64];
    memset(block, 0x36, sizeof block);
    for (int i = 0; i < 32; i++) block[i] ^= key[i];
    IMB_SHA256_ONE_BLOCK(state->manager, block, prepared->inner);
    memset(block, 0x5c, sizeof block);
    for (int i = 0; i < 32; i++) block[i] ^= key[i];
    IMB_SHA256_ONE_BLOCK(state->manager, block, prepared->outer);
    explicit_bzero(block, sizeof block);
}

int holdfast_hmac_all(
    holdfast_hmac *state, const holdfast_hmac_key *key, const void *bytes, const size_t *offsets, const size_t *byte_counts, size_t count,
    uint8_t *codes) {
    if (count > HOLDFAST_HMAC_COUNT_MAX) return -1;
    for (size_t i = 0; i < count; i++) {
        IMB_JOB *job = &state->jobs[i];
        memset(job, 0, sizeof *job);
        job->hash_alg = IMB_AUTH_HMAC_SHA_256;
        job->cipher_mode = IMB_CIPHER_NULL;
        job->src = (const uint8_t *)bytes + offsets[i];
        job->msg_len_to_hash_in_bytes = byte_counts[i];
        job->auth_tag_output = codes + 32 * i;
        job->auth_tag_output_len_in_bytes = 32;
        job->u.HMAC._hashed_auth_key_xor_ipad = key->inner;
        job->u.HMAC._hashed_auth_key_xor_opad = key->outer;
    }
    return IMB_SUBMIT_HASH_BURST(state->manager, state->jobs, (uint32_t)count, IMB_AUTH_HMAC_SHA_256) == count ? 0 : -1;
}

struct holdfast_gcm {
    IMB_MGR *manager;
    struct gcm_key_data *key;
};

static const uint8_t zero_nonce[12];

holdfast_gcm *holdfast_gcm_new(void) {
    holdfast_gcm *state = calloc(1, sizeof *state);
    if (state == NULL) return NULL;
    state->manager = alloc_mb_mgr(0);
    // A cache line's alignment; its type asks for it, calloc does not give it.
    state->key = aligned_alloc(64, (sizeof *state->key + 63) / 64 * 64);
    IMB_ARCH found = IMB_ARCH_NONE;
    if (state->manager != NULL && state->key != NULL) init_mb_mgr_auto(state->manager, &found);
    const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    // Without the instructions the library imitates them, at a hundredth of the speed.
    if (found == IMB_ARCH_NONE || found == IMB_ARCH_NOAESNI || imb_get_errno(state->manager) != 0 || (state->manager->features & needed) != needed) {
        holdfast_gcm_free(state);
        return NULL;
    }
    return state;
}

void holdfast_gcm_free(holdfast_gcm *state) {
    if (state->manager != NULL) free_mb_mgr(state->manager);
    free(state->key);
    free(state);
}

void holdfast_gcm_seal(
    holdfast_gcm *state, const uint8_t key[32], const uint8_t *associated, size_t associated_byte_count, const void *from, void *to, size_t byte_count,
    uint8_t tag[16]) {
    struct gcm_context_data context;
    IMB_AES256_GCM_PRE(state->manager, key, state->key);
    IMB_AES256_GCM_ENC(state->manager, state->key, &context, to, from, byte_count, zero_nonce, associated, associated_byte_count, tag, 16);
    explicit_bzero(state->key, sizeof *state->key);
    explicit_bzero(&context, sizeof context);
}

int holdfast_gcm_open(
    holdfast_gcm *state, const uint8_t key[32], const uint8_t *associated, size_t associated_byte_count, void *bytes, size_t byte_count,
    const uint8_t tag[16]) {
    struct gcm_context_data context;
    uint8_t computed[16];
    IMB_AES256_GCM_PRE(state->manager, key, state->key);
    IMB_AES256_GCM_DEC(state->manager, state->key, &context, bytes, bytes, byte_count, zero_nonce, associated, associated_byte_count, computed, 16);
    explicit_bzero(state->key, sizeof *state->key);
    explicit_bzero(&context, sizeof context);
    uint8_t difference = 0;
    for (int i = 0; i < 16; i++) difference |= computed[i] ^ tag[i];
    explicit_bzero(computed, sizeof computed);
    if (difference == 0) return 0;
    memset(bytes, 0, byte_count);
    return -1;
}

int holdfast_gcm_open_part(holdfast_gcm *state, const uint8_t key[32], void *bytes, size_t byte_count, uint64_t offset) {
    // With a nonce of 12 bytes block i of the message takes counter i + 2 (NIST SP 800-38D, 7.1).
    uint64_t counter = offset / 16 + 2;
    if (offset % 16 != 0 || counter > UINT32_MAX) return -1;
    uint8_t block[16] = {[12] = counter >> 24, [13] = counter >> 16, [14] = counter >> 8, [15] = counter};
    uint8_t schedule[2][15 * 16] __attribute__((aligned(16)));
    IMB_AES_KEYEXP_256(state->manager, key, schedule[0], schedule[1]);
    IMB_JOB *job = IMB_GET_NEXT_JOB(state->manager);
    memset(job, 0, sizeof *job);
    job->cipher_mode = IMB_CIPHER_CNTR;
    job->cipher_direction = IMB_DIR_DECRYPT;
    job->chain_order = IMB_ORDER_CIPHER_HASH;
    job->hash_alg = IMB_AUTH_NULL;
    job->enc_keys = schedule[0];
    job->dec_keys = schedule[0];
    job->key_len_in_bytes = 32;
    job->iv = block;
    job->iv_len_in_bytes = sizeof block;
    job->src = bytes;
    job->dst = bytes;
    job->msg_len_to_cipher_in_bytes = byte_count;
    IMB_JOB *done = IMB_SUBMIT_JOB(state->manager);
    if (done == NULL) done = IMB_FLUSH_JOB(state->manager);
    int is_done = done != NULL && done->status == IMB_STATUS_COMPLETED;
    explicit_bzero(schedule, sizeof schedule);
    return is_done ? 0 : -1;
}
