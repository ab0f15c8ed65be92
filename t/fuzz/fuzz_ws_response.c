/* link: ../ngx_ws_proxy_module/ngx_ws_response.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * Responses to health checks: what a prefix says is not taken back by the
 * whole, and all that is found is inside of the buffer.
 */


#include "fuzz.h"

#include <ngx_ws_response.h>


static void
fuzz_inside(ngx_str_t *s, u_char *first, u_char *last)
{
    if (s->data) {
        FUZZ_ASSERT(s->data >= first);
        FUZZ_ASSERT(s->data + s->len <= last);
    }
}


static ngx_int_t
fuzz_body(ngx_ws_response_t *res, u_char *in, u_char *last)
{
    size_t     len;
    ngx_int_t  rc;

    rc = ngx_ws_response_body(res, last, 0);

    if (rc == NGX_ERROR) {
        return rc;
    }

    fuzz_inside(&res->body, in, last);
    len = res->body.len;

    FUZZ_ASSERT(ngx_ws_response_body(res, last, 1) == rc);
    fuzz_inside(&res->body, in, last);
    FUZZ_ASSERT(res->chunked || res->body.len == len);

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t              n;
    u_char             *in;
    ngx_int_t           rc, part;
    ngx_str_t           value;
    ngx_ws_response_t   res, first;

    in = malloc(len ? len : 1);
    memcpy(in, data, len);
    memset(&res, 0, sizeof(res));

    rc = ngx_ws_response_parse(&res, in, in + len);

    for (n = 0; n < len && n < 300; n++) {
        memset(&first, 0, sizeof(first));
        part = ngx_ws_response_parse(&first, in, in + n);

        FUZZ_ASSERT(part == NGX_AGAIN || part == rc);
        FUZZ_ASSERT(part != NGX_OK || first.status == res.status);
    }

    if (rc == NGX_OK) {
        FUZZ_ASSERT(res.status >= 100 && res.status <= 999);
        FUZZ_ASSERT(res.end > in && res.end <= in + len);
        fuzz_inside(&res.headers, in, in + len);

        value = ngx_ws_response_header(&res, "Upgrade", 7);
        fuzz_inside(&value, in, in + len);

        fuzz_body(&res, in, in + len);
    }

    free(in);

    return 0;
}
