/* link: proto/ngx_egress_http_head.c proto/ngx_egress_field.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * The head of an HTTP/1 request.
 */


#include "fuzz.h"

#include "proto/ngx_egress_http_head.h"


static ngx_int_t
reader(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_http_head(data, pos, last);
}


static ngx_uint_t
error(void *data)
{
    return ((ngx_egress_http_head_t *) data)->error;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                         used;
    ngx_int_t                      rc;
    static ngx_egress_http_head_t  st;

    rc = fuzz_splits(reader, &st, sizeof(st), error, data, len, &used);

    if (rc == NGX_OK) {
        FUZZ_ASSERT(data[used - 1] == '\n');
        FUZZ_ASSERT(st.host.len <= NGX_EGRESS_ADDR_LEN + 1);
        FUZZ_ASSERT(!(st.absolute && st.connect));
        FUZZ_ASSERT(!(st.absolute || st.connect) || st.host.len > 0);
        FUZZ_ASSERT(st.host.len == 0
                    || (memchr(st.host.data, '\n', st.host.len) == NULL
                        && memchr(st.host.data, '\0', st.host.len) == NULL));
    }

    FUZZ_ASSERT(used <= NGX_EGRESS_HTTP_HEAD_MAX);

    return 0;
}
