
/*
 * Copyright (C) ngx_egress authors
 *
 * Inflates the messages of permessage-deflate to look at them.  Memory is
 * taken when a compressed message begins and, unless the context is taken
 * over by the next one, given back when it ends.
 */


#include <ngx_ws_inflate.h>


#define NGX_WS_INFLATE_OUT  8192


static ngx_int_t ngx_ws_inflate_run(ngx_ws_inflate_t *inf);


/* one for all: nothing of it is kept between calls */

static u_char  ngx_ws_inflate_out[NGX_WS_INFLATE_OUT];


ngx_int_t
ngx_ws_inflate_chunk(ngx_ws_inflate_t *inf, u_char *in, size_t len)
{
    if (!inf->open) {
        ngx_memzero(&inf->stream, sizeof(z_stream));

        /*
         * The largest window, whatever was negotiated: zlib checks a smaller
         * one against what earlier calls put out only, so the verdict on who
         * does not keep to it would depend on how the bytes are split.
         */

        if (inflateInit2(&inf->stream, -MAX_WBITS) != Z_OK) {
            return NGX_ERROR;
        }

        inf->open = 1;
    }

    inf->stream.next_in = in;
    inf->stream.avail_in = len;

    return ngx_ws_inflate_run(inf);
}


static ngx_int_t
ngx_ws_inflate_run(ngx_ws_inflate_t *inf)
{
    int         zrc;
    size_t      len;
    z_stream   *zs;
    ngx_int_t   rc;

    zs = &inf->stream;

    do {
        zs->next_out = ngx_ws_inflate_out;
        zs->avail_out = NGX_WS_INFLATE_OUT;

        zrc = inflate(zs, Z_SYNC_FLUSH);

        if (zrc == Z_MEM_ERROR) {
            return NGX_ERROR;
        }

        len = NGX_WS_INFLATE_OUT - zs->avail_out;

        if (len) {
            rc = inf->handler(inf->data, ngx_ws_inflate_out, len);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        /* after what came out before: the same answer for any split */

        if (zrc != Z_OK && zrc != Z_STREAM_END && zrc != Z_BUF_ERROR) {
            return NGX_DECLINED;
        }

        /* a final block ends the stream but not the message: RFC 7692, 7.2.3 */

        if (zrc == Z_STREAM_END && inflateResetKeep(zs) != Z_OK) {
            return NGX_ERROR;
        }

        if (zrc == Z_BUF_ERROR && len == 0) {
            break;
        }

    } while (zs->avail_in || zs->avail_out == 0);

    return NGX_OK;
}


ngx_int_t
ngx_ws_inflate_finish(ngx_ws_inflate_t *inf)
{
    ngx_int_t  rc;

    static u_char  tail[] = { 0x00, 0x00, 0xff, 0xff };

    rc = ngx_ws_inflate_chunk(inf, tail, sizeof(tail));

    if (!inf->takeover) {
        ngx_ws_inflate_done(inf);
    }

    return rc;
}


void
ngx_ws_inflate_done(ngx_ws_inflate_t *inf)
{
    if (inf->open) {
        (void) inflateEnd(&inf->stream);
        inf->open = 0;
    }
}
