#include "CNBD.h"

#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// All of libnbd that is used, by the name it has there.
#define EACH_FUNCTION(X) \
    X(nbd_create) X(nbd_close) X(nbd_get_error) X(nbd_get_errno) X(nbd_add_meta_context) X(nbd_aio_connect_uri) X(nbd_aio_is_connecting) \
    X(nbd_aio_is_negotiating) X(nbd_aio_is_ready) X(nbd_aio_is_dead) X(nbd_aio_is_closed) X(nbd_poll) X(nbd_aio_disconnect) X(nbd_get_size) \
    X(nbd_get_block_size) X(nbd_can_multi_conn) X(nbd_can_meta_context) X(nbd_get_export_name) X(nbd_aio_pread) X(nbd_aio_block_status) \
    X(nbd_aio_command_completed)

#define DECLARE(name) __typeof__(&name) name;
static struct { EACH_FUNCTION(DECLARE) } library;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread char reason[512];

struct holdfast_nbd {
    struct nbd_handle *handle;
    int timeout;
};

static void load(void) {
    void *object = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!object) return;
    bool is_complete = true;
#define FIND(name) is_complete &= (library.name = (__typeof__(&name))dlsym(object, #name)) != NULL;
    EACH_FUNCTION(FIND)
    is_loaded = is_complete;
}

int holdfast_nbd_load(void) {
    pthread_once(&once, load);
    return is_loaded ? 0 : -1;
}

const char *holdfast_nbd_reason(void) { return reason; }

static void note(const char *text) { snprintf(reason, sizeof reason, "%s", text ? text : "for an unknown reason"); }

// What libnbd says begins with the name of the function, which says nothing to whom it is shown to.
static void note_error(void) {
    const char *text = library.nbd_get_error();
    if (text && strncmp(text, "nbd_", 4) == 0) {
        const char *colon = strstr(text, ": ");
        if (colon) text = colon + 2;
    }
    note(text);
}

// Waits for the server once: 0, or -1 with the reason noted.
static int wait_once(holdfast_nbd *connection) {
    int result = library.nbd_poll(connection->handle, connection->timeout);
    if (result > 0) return 0;
    if (result == 0) {
        note("the server does not answer");
    } else {
        note_error();
    }
    return -1;
}

holdfast_nbd *holdfast_nbd_connect(const char *uri, const char *context, const char *other, int connect_timeout, int timeout) {
    if (holdfast_nbd_load() != 0) {
        note("libnbd is not installed");
        return NULL;
    }
    holdfast_nbd *connection = calloc(1, sizeof *connection);
    if (!connection) abort();
    connection->timeout = connect_timeout;
    connection->handle = library.nbd_create();
    if (!connection->handle || (context && library.nbd_add_meta_context(connection->handle, context) != 0)
        || (other && library.nbd_add_meta_context(connection->handle, other) != 0) || library.nbd_aio_connect_uri(connection->handle, uri) != 0) {
        note_error();
        goto failed;
    }
    while (library.nbd_aio_is_connecting(connection->handle) > 0 || library.nbd_aio_is_negotiating(connection->handle) > 0) {
        if (wait_once(connection) != 0) goto failed;
    }
    connection->timeout = timeout;
    if (library.nbd_aio_is_ready(connection->handle) > 0) return connection;
    note_error();
failed:
    holdfast_nbd_close(connection);
    return NULL;
}

void holdfast_nbd_close(holdfast_nbd *connection) {
    if (connection->handle) {
        if (library.nbd_aio_is_ready(connection->handle) > 0) library.nbd_aio_disconnect(connection->handle, 0);
        library.nbd_close(connection->handle);
    }
    free(connection);
}

int64_t holdfast_nbd_byte_count(holdfast_nbd *connection) {
    int64_t result = library.nbd_get_size(connection->handle);
    if (result < 0) note_error();
    return result;
}

uint32_t holdfast_nbd_minimum_block(holdfast_nbd *connection) {
    int64_t result = library.nbd_get_block_size(connection->handle, LIBNBD_SIZE_MINIMUM);
    return result > 0 ? (uint32_t)result : 1;
}

uint32_t holdfast_nbd_maximum_block(holdfast_nbd *connection) {
    // What every server must take, by the protocol.
    const uint32_t usual = 32 << 20;
    int64_t result = library.nbd_get_block_size(connection->handle, LIBNBD_SIZE_MAXIMUM);
    return result > 0 && result < usual ? (uint32_t)result : usual;
}

int holdfast_nbd_shares(holdfast_nbd *connection) { return library.nbd_can_multi_conn(connection->handle) > 0; }

int holdfast_nbd_has_context(holdfast_nbd *connection, const char *context) {
    return library.nbd_can_meta_context(connection->handle, context) > 0;
}

char *holdfast_nbd_export_name(holdfast_nbd *connection) { return library.nbd_get_export_name(connection->handle); }

// Waits for the answer to a command whose number is `cookie`, or -1 if it could not be sent.
static int finish(holdfast_nbd *connection, int64_t cookie) {
    int result = -1;
    int error = 0;
    if (cookie >= 0) {
        while ((result = library.nbd_aio_command_completed(connection->handle, (uint64_t)cookie)) == 0) {
            if (wait_once(connection) != 0) goto lost;
        }
    }
    if (result > 0) return HOLDFAST_NBD_DONE;
    error = library.nbd_get_errno();
    note_error();
    if (!library.nbd_aio_is_dead(connection->handle) && !library.nbd_aio_is_closed(connection->handle)) {
        return error == EIO ? HOLDFAST_NBD_UNREADABLE : HOLDFAST_NBD_REFUSED;
    }
lost:
    // A late answer must find no memory to write to.
    library.nbd_close(connection->handle);
    connection->handle = NULL;
    return HOLDFAST_NBD_LOST;
}

int holdfast_nbd_read(holdfast_nbd *connection, void *bytes, size_t byte_count, uint64_t offset) {
    if (!connection->handle) return note("the connection is closed"), HOLDFAST_NBD_LOST;
    return finish(connection, library.nbd_aio_pread(connection->handle, bytes, byte_count, offset, NBD_NULL_COMPLETION, 0));
}

struct answer {
    const char *context;
    uint32_t *pairs;
    size_t capacity;
    size_t count;
};

static int collect(void *data, const char *context, uint64_t offset, uint32_t *entries, size_t entry_count, int *error) {
    (void)offset;
    (void)error;
    struct answer *answer = data;
    if (strcmp(context, answer->context) != 0) return 0;
    answer->count = entry_count / 2 < answer->capacity ? entry_count / 2 : answer->capacity;
    memcpy(answer->pairs, entries, answer->count * 2 * sizeof *entries);
    return 0;
}

int holdfast_nbd_block_status(
    holdfast_nbd *connection, const char *context, uint64_t offset, uint64_t byte_count, uint32_t *pairs, size_t capacity, size_t *pair_count) {
    if (!connection->handle) return note("the connection is closed"), HOLDFAST_NBD_LOST;
    struct answer answer = { .context = context, .pairs = pairs, .capacity = capacity };
    nbd_extent_callback callback = { .callback = collect, .user_data = &answer };
    int result = finish(connection, library.nbd_aio_block_status(connection->handle, byte_count, offset, callback, NBD_NULL_COMPLETION, 0));
    *pair_count = answer.count;
    return result;
}
