
/*
 * Copyright (C) ngx_egress authors
 *
 * What every codec of proto/ shares.  A codec turns bytes into a struct or a
 * struct into bytes; it knows no connection, pool or log, calls nothing but
 * libc, and links alone.
 *
 * The shape of a resumable reader:
 *
 *     ngx_int_t ngx_egress_X(ngx_egress_X_t *st, u_char **pos, u_char *last);
 *
 * It consumes bytes from *pos up to last and returns NGX_OK when its message
 * is complete (*pos is then right after it and what follows was not looked
 * at), NGX_AGAIN when everything was consumed and more is needed, NGX_ERROR
 * when the message is malformed.  st is the caller's, zeroed before the first
 * call, and holds all results: nothing in it points into the input, so the
 * answer is the same however the bytes were split.  After NGX_OK or NGX_ERROR
 * a reader must not be called again before st has been zeroed.
 *
 * Writers take a buffer that is large enough by the length named beside them
 * and return the end of what was written.
 */


#ifndef _NGX_EGRESS_PROTO_H_INCLUDED_
#define _NGX_EGRESS_PROTO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#ifndef ngx_egress_must_check
#define ngx_egress_must_check  __attribute__((warn_unused_result))
#endif


/* integers in network order at any alignment */

#define ngx_egress_get16(p)                                                   \
    ((ngx_uint_t) (p)[0] << 8 | (ngx_uint_t) (p)[1])

#define ngx_egress_get32(p)                                                   \
    ((uint32_t) (p)[0] << 24 | (uint32_t) (p)[1] << 16                        \
     | (uint32_t) (p)[2] << 8 | (uint32_t) (p)[3])

#define ngx_egress_put16(p, n)                                                \
    ((p)[0] = (u_char) ((n) >> 8), (p)[1] = (u_char) (n), (p) + 2)

#define ngx_egress_put32(p, n)                                                \
    ((p)[0] = (u_char) ((n) >> 24), (p)[1] = (u_char) ((n) >> 16),            \
     (p)[2] = (u_char) ((n) >> 8), (p)[3] = (u_char) (n), (p) + 4)


#endif /* _NGX_EGRESS_PROTO_H_INCLUDED_ */
