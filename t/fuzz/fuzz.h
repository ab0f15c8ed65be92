
/*
 * Copyright (C) ngx_egress authors
 *
 * What the fuzzers share.  A resumable reader must give one answer for the
 * whole input, for single bytes and for random pieces, and leave the same
 * state behind.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "../unit/feed.h"


#define FUZZ_ASSERT  FEED_ASSERT

#define FUZZ_STATE   4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


/*
 * Leaves st as the first run did.  After NGX_ERROR a reader may have looked
 * further when it was given more, so only error() is compared; it may be
 * NULL.
 */

static inline ngx_int_t
fuzz_splits(feed_pt reader, void *st, size_t size,
    ngx_uint_t (*error)(void *st), const void *data, size_t len, size_t *used)
{
    size_t          n;
    unsigned        mode;
    ngx_int_t       rc, want;
    ngx_uint_t      first;
    static u_char   state[FUZZ_STATE];

    FUZZ_ASSERT(size <= FUZZ_STATE);

    memset(st, 0, size);
    want = feed(reader, st, data, len, FEED_WHOLE, used);
    first = error ? error(st) : 0;
    memcpy(state, st, size);

    FUZZ_ASSERT(error == NULL || (want == NGX_ERROR) == (first != 0));

    for (mode = FEED_BYTES; mode < 5; mode++) {
        memset(st, 0, size);
        rc = feed(reader, st, data, len, mode, &n);

        FUZZ_ASSERT(rc == want);
        FUZZ_ASSERT(error == NULL || error(st) == first);
        FUZZ_ASSERT(rc == NGX_ERROR || n == *used);
        FUZZ_ASSERT(rc == NGX_ERROR || memcmp(state, st, size) == 0);
    }

    memcpy(st, state, size);

    return want;
}


#endif /* _FUZZ_H_INCLUDED_ */
