
/*
 * Copyright (C) ngx_egress authors
 *
 * Makes a ClientHello with the extensions given, cut into records.
 */


#ifndef _HELLO_BUILDER_H_INCLUDED_
#define _HELLO_BUILDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <string.h>


/* without records; returns the end */

static inline u_char *
hello_message(u_char *p, const char *exts, size_t len)
{
    u_char  *start;

    start = p;

    p = ngx_cpymem(p, "\1\0\0\0\3\3", 6);
    memset(p, 'r', 32);
    p += 32;
    *p++ = 32;
    memset(p, 's', 32);
    p += 32;
    p = ngx_cpymem(p, "\0\4\x13\1\x13\2\1\0", 8);

    if (exts != NULL) {
        *p++ = (u_char) (len >> 8);
        *p++ = (u_char) len;
        p = ngx_cpymem(p, exts, len);
    }

    start[2] = (u_char) ((p - start - 4) >> 8);
    start[3] = (u_char) (p - start - 4);

    return p;
}


static inline u_char *
hello_records(u_char *p, const u_char *message, size_t len, size_t record)
{
    size_t  n;

    for ( /* void */ ; len > 0; len -= n, message += n) {
        n = ngx_min(len, record);
        p = ngx_cpymem(p, "\x16\3\1", 3);
        *p++ = (u_char) (n >> 8);
        *p++ = (u_char) n;
        p = ngx_cpymem(p, message, n);
    }

    return p;
}


#endif /* _HELLO_BUILDER_H_INCLUDED_ */
