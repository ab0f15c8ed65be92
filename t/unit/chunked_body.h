
/*
 * Copyright (C) ngx_egress authors
 *
 * A whole body of chunks as one resumable reader: NGX_OK is the end of the
 * last chunk, the bytes of the body are in the state.
 */


#ifndef _CHUNKED_BODY_H_INCLUDED_
#define _CHUNKED_BODY_H_INCLUDED_


#include "proto/ngx_egress_chunked.h"


typedef struct {
    ngx_egress_chunked_t  chunk;
    size_t                len;        /* may be more than body holds */
    u_char                body[1024];
} chunked_body_t;


static inline ngx_int_t
chunked_body(void *data, u_char **pos, u_char *last)
{
    size_t           n, i;
    ngx_int_t        rc;
    chunked_body_t  *st;

    st = data;

    for ( ;; ) {
        rc = ngx_egress_chunked(&st->chunk, pos, last);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : rc;
        }

        n = last - *pos;

        if (n > st->chunk.size) {
            n = st->chunk.size;
        }

        for (i = 0; i < n; i++, st->len++) {
            if (st->len < sizeof(st->body)) {
                st->body[st->len] = (*pos)[i];
            }
        }

        *pos += n;
        st->chunk.size -= n;
    }
}


#endif /* _CHUNKED_BODY_H_INCLUDED_ */
