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
