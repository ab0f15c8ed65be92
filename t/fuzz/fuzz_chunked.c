/* link: proto/ngx_egress_chunked.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * A body of chunks; what is accepted is no longer than what it came in.
 */


#include "fuzz.h"

#include "../unit/chunked_body.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                 used;
    ngx_int_t              rc;
    static chunked_body_t  st;

    rc = fuzz_splits(chunked_body, &st, sizeof(st), NULL, data, len, &used);

    FUZZ_ASSERT(st.len <= used);

    if (rc == NGX_OK) {
        FUZZ_ASSERT(st.chunk.size == 0);
        FUZZ_ASSERT(used >= 3 && memcmp(data + used - 2, "\r\n", 2) == 0);
    }

    return 0;
}
