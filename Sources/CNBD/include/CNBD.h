// A client of NBD servers by libnbd (LGPL), which is loaded when the first connection is made: programs run without it.
#ifndef HOLDFAST_CNBD_H
#define HOLDFAST_CNBD_H

#include <stddef.h>
#include <stdint.h>

// A connection. One thread at a time uses it.
typedef struct holdfast_nbd holdfast_nbd;

enum {
    HOLDFAST_NBD_DONE = 0,
    // The server says that the medium cannot deliver (EIO).
    HOLDFAST_NBD_UNREADABLE = 1,
    // The server refuses for another reason.
    HOLDFAST_NBD_REFUSED = 2,
    // The connection is broken, or the server has not answered in time. The connection is of no more use.
    HOLDFAST_NBD_LOST = 3,
};

// dlopen(3) of libnbd.so.0 and dlsym(3) of all that is used here: 0, or -1 if it is not installed or too old.
int holdfast_nbd_load(void);
// Why the last call of this thread failed; valid until its next call.
const char *holdfast_nbd_reason(void);
// NULL after a failure. `context` and `other` are metadata contexts to ask for, or NULL. No answer within `connect_timeout` milliseconds is a failure now, and none
// within `timeout` later.
holdfast_nbd *holdfast_nbd_connect(const char *uri, const char *context, const char *other, int connect_timeout, int timeout);
void holdfast_nbd_close(holdfast_nbd *connection);

// Bytes of the export, or -1.
int64_t holdfast_nbd_byte_count(holdfast_nbd *connection);
// What offsets and byte counts of reads must be multiples of, at least 1.
uint32_t holdfast_nbd_minimum_block(holdfast_nbd *connection);
// The longest read.
uint32_t holdfast_nbd_maximum_block(holdfast_nbd *connection);
// Whether several connections see the same.
int holdfast_nbd_shares(holdfast_nbd *connection);
// Whether the server knows the context that was asked for.
int holdfast_nbd_has_context(holdfast_nbd *connection, const char *context);
// The export's name, to be given to free(3); NULL after a failure.
char *holdfast_nbd_export_name(holdfast_nbd *connection);

int holdfast_nbd_read(holdfast_nbd *connection, void *bytes, size_t byte_count, uint64_t offset);
// Writes pairs of length and flags, from `offset` on, into `pairs`: at most `capacity` pairs, which is fewer bytes than asked for where there are more.
int holdfast_nbd_block_status(
    holdfast_nbd *connection, const char *context, uint64_t offset, uint64_t byte_count, uint32_t *pairs, size_t capacity, size_t *pair_count);

#endif
