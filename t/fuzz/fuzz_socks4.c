/* link: proto/ngx_egress_socks4.c proto/ngx_egress_socks.c */
/* link: proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * A SOCKS4 or 4a client.
 */


#include "fuzz.h"

#include "proto/ngx_egress_socks4.h"


static ngx_int_t
reader(void *st, u_char **pos, u_char *last)
{
    return ngx_egress_socks4_request(st, pos, last);
}


static ngx_uint_t
error(void *st)
{
    return ((ngx_egress_socks4_request_t *) st)->error;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t                              used;
    ngx_int_t                           rc;
    static ngx_egress_socks4_request_t  st;

    rc = fuzz_splits(reader, &st, sizeof(st), error, data, len, &used);

    if (rc == NGX_OK) {
        FUZZ_ASSERT(st.addr.host.len > 0);
        FUZZ_ASSERT(st.addr.host.len <= NGX_EGRESS_HOST_LEN);
        FUZZ_ASSERT(st.user.len <= NGX_EGRESS_SOCKS4_USER_LEN);
        FUZZ_ASSERT(st.addr.port == ngx_egress_get16(&data[2]));
        FUZZ_ASSERT(data[used - 1] == '\0');
    }

    return 0;
}
