#define _GNU_SOURCE
#include "CCampaignSodium.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int verify_function(const unsigned char *, const unsigned char *, unsigned long long, const unsigned char *);

enum { signature_byte_count = 64, key_byte_count = 32, slot_count = 1 << 16 };

// Signature, key, message; its byte count before it.
struct entry {
    size_t byte_count;
    unsigned char bytes[];
};

static struct entry *entries[slot_count];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void holdfast_use_campaign_sodium(void) {}

void *sodium_malloc(size_t byte_count) {
    return calloc(1, byte_count ? byte_count : 1);
}

int sodium_mprotect_readonly(void *memory) {
    (void)memory;
    return 0;
}

void sodium_free(void *memory) {
    free(memory);
}

static int is_known(const struct entry *entry, const unsigned char *signature, const unsigned char *message, size_t byte_count, const unsigned char *key) {
    return entry && entry->byte_count == byte_count && memcmp(entry->bytes, signature, signature_byte_count) == 0
        && memcmp(entry->bytes + signature_byte_count, key, key_byte_count) == 0
        && memcmp(entry->bytes + signature_byte_count + key_byte_count, message, byte_count) == 0;
}

int crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message, unsigned long long byte_count, const unsigned char *key) {
    static verify_function *verify;
    // A signature's first bytes are as good as random.
    uint32_t start;
    memcpy(&start, signature, sizeof start);
    struct entry **slot = &entries[start % slot_count];
    pthread_mutex_lock(&lock);
    if (!verify) verify = (verify_function *)dlsym(RTLD_NEXT, "crypto_sign_verify_detached");
    int known = is_known(*slot, signature, message, byte_count, key);
    pthread_mutex_unlock(&lock);
    if (known) return 0;
    int result = verify(signature, message, byte_count, key);
    if (result != 0) return result;
    struct entry *entry = malloc(sizeof *entry + signature_byte_count + key_byte_count + byte_count);
    if (!entry) return result;
    entry->byte_count = byte_count;
    memcpy(entry->bytes, signature, signature_byte_count);
    memcpy(entry->bytes + signature_byte_count, key, key_byte_count);
    memcpy(entry->bytes + signature_byte_count + key_byte_count, message, byte_count);
    pthread_mutex_lock(&lock);
    struct entry *old = *slot;
    *slot = entry;
    pthread_mutex_unlock(&lock);
    free(old);
    return result;
}
