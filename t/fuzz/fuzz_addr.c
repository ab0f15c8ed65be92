/* link: proto/ngx_egress_addr.c proto/ngx_egress_host_match.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * A host that is accepted is printed, and what is printed is accepted as
 * the same host.
 */


#include "fuzz.h"

#include "proto/ngx_egress_addr.h"
#include "proto/ngx_egress_host_match.h"


static void
fuzz_same(ngx_egress_addr_t *a, ngx_egress_addr_t *b)
{
    size_t  n;

    n = (a->family == AF_INET) ? 4 : (a->family == AF_INET6) ? 16 : 0;

    FUZZ_ASSERT(a->family == b->family);
    FUZZ_ASSERT(memcmp(a->ip.bytes, b->ip.bytes, n) == 0);

    if (n != 16) {
        FUZZ_ASSERT(ngx_egress_host_match_exact(&a->host, &b->host));
    }
}


static void
fuzz_host(ngx_egress_addr_t *a)
{
    size_t     i;
    ngx_str_t  up;

    FUZZ_ASSERT(a->host.len > 0 && a->host.len <= NGX_EGRESS_HOST_LEN);
    FUZZ_ASSERT(a->error == NGX_EGRESS_ADDR_OK);

    for (i = 0; i < a->host.len; i++) {
        FUZZ_ASSERT(a->host.data[i] > ' ' && a->host.data[i] < 0x7f);
        FUZZ_ASSERT(a->host.data[i] < 'A' || a->host.data[i] > 'Z');
        FUZZ_ASSERT(strchr("[]%@/*", a->host.data[i]) == NULL);
    }

    up = a->host;

    while (ngx_egress_host_parent(&up) == NGX_OK) {
        FUZZ_ASSERT(ngx_egress_host_match_child(&a->host, &up));
    }
}


static void
fuzz_round_trip(ngx_egress_addr_t *a, ngx_uint_t port)
{
    size_t              n;
    u_char             *text, *buf;
    ngx_egress_addr_t   b;

    text = malloc(NGX_EGRESS_ADDR_LEN);
    n = ngx_egress_addr_print(text, a) - text;
    FUZZ_ASSERT(n <= NGX_EGRESS_ADDR_LEN);

    buf = malloc(n);
    FUZZ_ASSERT(ngx_egress_addr_parse(&b, buf, text, n, 0) == NGX_OK);
    FUZZ_ASSERT(b.port == port && a->port == port);
    fuzz_same(a, &b);

    free(buf);
    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char             *in, *buf;
    ngx_egress_addr_t   a, b;

    in = malloc(len ? len : 1);
    buf = malloc(len ? len : 1);
    memcpy(in, data, len);

    if (ngx_egress_addr_host(&a, buf, in, len) == NGX_OK) {
        fuzz_host(&a);
        fuzz_round_trip(&a, 0);
    }

    if (ngx_egress_addr_parse(&a, buf, in, len, 0) == NGX_OK) {
        fuzz_host(&a);
        fuzz_round_trip(&a, a.port);

        /* in place: the same */
        FUZZ_ASSERT(ngx_egress_addr_parse(&b, in, in, len, 0) == NGX_OK);
        fuzz_same(&a, &b);

    } else {
        FUZZ_ASSERT(a.error != NGX_EGRESS_ADDR_OK);
        FUZZ_ASSERT(a.host.len == 0);
    }

    free(in);
    free(buf);

    return 0;
}
