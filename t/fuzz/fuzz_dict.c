/* link: proto/ngx_egress_dict.c proto/ngx_egress_field.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * Path selection values: what was read is written plainly and read again.
 */


#include "fuzz.h"

#include "proto/ngx_egress_dict.h"


static void
fuzz_number(ngx_str_t *value)
{
    char        text[32];
    ngx_str_t   again;
    ngx_uint_t  n, m;

    if (ngx_egress_dict_number(value, &n) != NGX_OK) {
        return;
    }

    again.len = snprintf(text, sizeof(text), "%llu", (unsigned long long) n);
    again.data = (u_char *) text;

    FUZZ_ASSERT(ngx_egress_dict_number(&again, &m) == NGX_OK);
    FUZZ_ASSERT(n == m);
}


static void
fuzz_member(ngx_egress_dict_member_t *m, u_char *first, u_char *last)
{
    u_char  *buf, *p;

    FUZZ_ASSERT(m->key.len > 0);
    FUZZ_ASSERT(m->key.data >= first && m->key.data + m->key.len < last);
    FUZZ_ASSERT(m->value.data >= first);
    FUZZ_ASSERT(m->value.data + m->value.len <= last);

    buf = malloc(m->value.len ? m->value.len : 1);
    p = ngx_egress_dict_unescape(buf, &m->value);
    FUZZ_ASSERT(p <= buf + m->value.len);
    FUZZ_ASSERT(m->escaped == (p < buf + m->value.len));
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char                    *in, *was;
    ngx_int_t                  rc;
    ngx_str_t                  rest;
    ngx_egress_dict_member_t   m;

    in = malloc(len ? len : 1);
    memcpy(in, data, len);

    rest.data = in;
    rest.len = len;
    fuzz_number(&rest);

    for ( ;; ) {
        was = rest.data;
        rc = ngx_egress_dict_next(&rest, &m);

        if (rc != NGX_OK) {
            break;
        }

        FUZZ_ASSERT(rest.data > was);
        FUZZ_ASSERT(rest.data + rest.len == in + len);
        fuzz_member(&m, in, in + len);
    }

    FUZZ_ASSERT(rc == NGX_DONE || rc == NGX_ERROR);

    free(in);

    return 0;
}
