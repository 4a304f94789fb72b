#ifndef HOLDFAST_CAMPAIGN_SODIUM_H
#define HOLDFAST_CAMPAIGN_SODIUM_H

// Two things of libsodium made cheap for programs that link this target, by definitions that stand in front of the library's:
//
// - crypto_sign_verify_detached remembers what the library found right: signature, message and key, whole. A campaign opens copies of the same few
//   documents millions of times, and half of its time would go into curve arithmetic. What is wrong is asked again each time.
// - sodium_malloc gives ordinary memory. Locked pages with guards around them cost five system calls, and the keys of a campaign are no secrets.

/// Makes sure that the linker takes these definitions.
void holdfast_use_campaign_sodium(void);

#endif
