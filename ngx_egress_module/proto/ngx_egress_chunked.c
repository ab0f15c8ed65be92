
/*
 * Copyright (C) ngx_egress authors
 *
 * Finds the bytes of a body between the sizes of its chunks.  Does not touch
 * them and does not read trailers.
 */


#include "ngx_egress_chunked.h"


#define NGX_EGRESS_CHUNK_MAX  (((uint64_t) 1 << 59) - 1)


typedef enum {
    sw_start = 0,                     /* the first digit of a size */
    sw_size,
    sw_blank,                         /* between size and extensions */
    sw_extension,
    sw_line_lf,
    sw_data,
    sw_data_lf
} ngx_egress_chunked_state_e;


static ngx_int_t ngx_egress_chunked_size(ngx_egress_chunked_t *st, u_char ch);
static ngx_int_t ngx_egress_chunked_line(ngx_egress_chunked_t *st, u_char ch);
static ngx_int_t ngx_egress_chunked_hex(u_char ch);


ngx_int_t
ngx_egress_chunked(ngx_egress_chunked_t *st, u_char **pos, u_char *last)
{
    u_char  ch;

    while (*pos < last) {

        if (st->state == sw_data && st->size) {
            return NGX_OK;
        }

        ch = *(*pos)++;

        switch (st->state) {

        case sw_data:
            if (ch != CR) {
                return NGX_ERROR;
            }

            st->state = sw_data_lf;
            break;

        case sw_data_lf:
            if (ch != LF) {
                return NGX_ERROR;
            }

            st->state = sw_start;
            break;

        case sw_line_lf:
            if (ch != LF) {
                return NGX_ERROR;
            }

            if (st->size == 0) {
                return NGX_DONE;
            }

            st->state = sw_data;
            break;

        default:
            if (ngx_egress_chunked_line(st, ch) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_chunked_line(ngx_egress_chunked_t *st, u_char ch)
{
    if (st->state == sw_start) {
        st->line = 0;
        st->size = 0;
        st->state = sw_size;

        return ngx_egress_chunked_size(st, ch);
    }

    if (++st->line > NGX_EGRESS_CHUNK_LINE) {
        return NGX_ERROR;
    }

    if (ch == CR) {
        st->state = sw_line_lf;
        return NGX_OK;
    }

    if (st->state == sw_extension) {
        return (ch == '\t' || (ch >= ' ' && ch != 0x7f)) ? NGX_OK : NGX_ERROR;
    }

    if (ch == ';') {
        st->state = sw_extension;
        return NGX_OK;
    }

    if (ch == ' ' || ch == '\t') {
        st->state = sw_blank;
        return NGX_OK;
    }

    if (st->state == sw_blank) {
        return NGX_ERROR;
    }

    return ngx_egress_chunked_size(st, ch);
}


static ngx_int_t
ngx_egress_chunked_size(ngx_egress_chunked_t *st, u_char ch)
{
    ngx_int_t  digit;

    digit = ngx_egress_chunked_hex(ch);

    if (digit == NGX_ERROR || st->size > NGX_EGRESS_CHUNK_MAX) {
        return NGX_ERROR;
    }

    st->size = st->size << 4 | (uint64_t) digit;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_chunked_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : NGX_ERROR;
}
