
/*
 * Copyright (C) ngx_egress authors
 *
 * Inflates the messages of permessage-deflate (RFC 7692) to look at them: the
 * output is shown to a handler piece by piece and never kept.
 */


#ifndef _NGX_WS_INFLATE_H_INCLUDED_
#define _NGX_WS_INFLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <zlib.h>


/* NGX_OK: go on; anything else is returned by ngx_ws_inflate_*() at once */
typedef ngx_int_t (*ngx_ws_inflate_pt)(void *data, u_char *out, size_t len);


typedef struct {
    /* set by the owner, the rest is zeroed */

    unsigned                takeover:1;   /* the context outlives a message */
    ngx_ws_inflate_pt       handler;
    void                   *data;

    /* private */

    unsigned                open:1;
    z_stream                stream;
} ngx_ws_inflate_t;


/*
 * NGX_OK when all input is consumed, NGX_DECLINED if it is no deflate stream,
 * NGX_ERROR if there is no memory, else what the handler said.
 */
ngx_int_t ngx_ws_inflate_chunk(ngx_ws_inflate_t *inf, u_char *in, size_t len);

/* the same for the tail that each message has lost, and ends the message */
ngx_int_t ngx_ws_inflate_finish(ngx_ws_inflate_t *inf);

/* gives all memory back; may be called at any time and twice */
void ngx_ws_inflate_done(ngx_ws_inflate_t *inf);


#endif /* _NGX_WS_INFLATE_H_INCLUDED_ */
