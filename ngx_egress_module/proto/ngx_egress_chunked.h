/*
 * Copyright (C) ngx_egress authors
 *
 * The chunked transfer coding (RFC 9112, section 7.1), read strictly: what
 * two readers may understand differently is an error.
 */

#ifndef _NGX_EGRESS_CHUNKED_H_INCLUDED_
#define _NGX_EGRESS_CHUNKED_H_INCLUDED_


#include "ngx_egress_proto.h"


/* the longest line of a chunk: its size, and extensions that are ignored */
#define NGX_EGRESS_CHUNK_LINE  4096


typedef struct {
    ngx_uint_t  state;
    uint64_t    size;                 /* of the chunk, what is left of it */
    size_t      line;                 /* bytes of the line so far */
} ngx_egress_chunked_t;


/*
 * Reads up to the next bytes of the body.  Differs from other readers:
 *
 *     NGX_OK     st->size bytes of the body begin at *pos; the caller takes
 *                what it has of them, subtracts that from st->size, moves
 *                *pos, and calls again
 *     NGX_DONE   the last chunk was read; at *pos begins the trailer section,
 *                which ends with an empty line (ngx_egress_field.h)
 *     NGX_AGAIN  all was consumed, more is needed
 *     NGX_ERROR  malformed
 *
 * Lines end with CRLF only.  Sizes have no sign and no prefix, and fit into
 * 63 bits.  Blanks after a size are accepted, as many servers pad it.
 */
ngx_int_t ngx_egress_chunked(ngx_egress_chunked_t *st, u_char **pos,
    u_char *last) ngx_egress_must_check;


#endif /* _NGX_EGRESS_CHUNKED_H_INCLUDED_ */
