/* link: proto/ngx_egress_connect.c proto/ngx_egress_field.c */
/* link: proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * The reply of a next HTTP proxy.
 */


#include "fuzz.h"

#include "proto/ngx_egress_connect.h"


static ngx_int_t
reader(void *st, u_char **pos, u_char *last)
{
    return ngx_egress_connect_reply(st, pos, last);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                             used;
    ngx_int_t                          rc;
    static ngx_egress_connect_reply_t  st;

    rc = fuzz_splits(reader, &st, sizeof(st), NULL, data, len, &used);

    if (rc == NGX_OK) {
        FUZZ_ASSERT(st.status >= 101 && st.status <= 599);
        FUZZ_ASSERT(st.status != 100);
        FUZZ_ASSERT(st.size == used);
        FUZZ_ASSERT(data[used - 1] == '\n');
    }

    FUZZ_ASSERT(used <= NGX_EGRESS_CONNECT_REPLY_MAX);

    return 0;
}
