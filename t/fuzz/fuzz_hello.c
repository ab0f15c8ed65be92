/* link: proto/ngx_egress_hello.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * A ClientHello.  Records are framing: cutting a handshake message otherwise
 * must not change what is found in it.
 */


#include "fuzz.h"

#include "../unit/hello_builder.h"

#include "proto/ngx_egress_hello.h"


static ngx_egress_hello_t  st;


static ngx_int_t
reader(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_hello(data, pos, last);
}


static ngx_uint_t
error(void *data)
{
    return ((ngx_egress_hello_t *) data)->error;
}


static void
fuzz_records(const uint8_t *data, size_t len)
{
    size_t              n, record, used;
    u_char             *records;
    ngx_int_t           rc, want;
    ngx_egress_hello_t  first;

    if (len > 4000) {
        return;
    }

    records = malloc(6 * len + 1);

    n = hello_records(records, data, len, 16384) - records;
    want = fuzz_splits(reader, &st, sizeof(st), error, records, n, &used);
    first = st;

    for (record = 1; record < 100; record = record * 5 + 2) {
        n = hello_records(records, data, len, record) - records;
        memset(&st, 0, sizeof(st));
        rc = feed(reader, &st, records, n, FEED_WHOLE, &used);

        FUZZ_ASSERT(rc == want);
        FUZZ_ASSERT(st.error == first.error);
        FUZZ_ASSERT(st.sni.len == first.sni.len);
        FUZZ_ASSERT(memcmp(st.name, first.name, sizeof(st.name)) == 0);
        FUZZ_ASSERT(st.alpn == first.alpn && st.ech == first.ech);
        FUZZ_ASSERT(st.alpn_h2 == first.alpn_h2);
        FUZZ_ASSERT(st.alpn_http1 == first.alpn_http1);
    }

    free(records);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t     used;
    ngx_int_t  rc;

    if (len > 0 && data[0] == 1) {
        fuzz_records(data, len);
        return 0;
    }

    rc = fuzz_splits(reader, &st, sizeof(st), error, data, len, &used);

    FUZZ_ASSERT(rc != NGX_OK || st.sni.len <= NGX_EGRESS_HELLO_SNI_LEN);
    FUZZ_ASSERT(used <= NGX_EGRESS_HELLO_MAX);

    return 0;
}
