
/*
 * Copyright (C) ngx_egress authors
 *
 * Reads a ClientHello byte by byte, in two layers: records give bytes of the
 * handshake message, and those make a chain of fields, of which only the
 * extensions we look at are kept.  Does not judge the name it finds.
 */


#include "ngx_egress_hello.h"


#define NGX_EGRESS_HELLO_EXT_SNI   0x0000
#define NGX_EGRESS_HELLO_EXT_ALPN  0x0010
#define NGX_EGRESS_HELLO_EXT_ECH   0xfe0d

#define NGX_EGRESS_HELLO_RECORD    16384


static ngx_int_t ngx_egress_hello_record(ngx_egress_hello_t *st, u_char ch);
static ngx_int_t ngx_egress_hello_byte(ngx_egress_hello_t *st, u_char ch);
static ngx_int_t ngx_egress_hello_field(ngx_egress_hello_t *st);
static ngx_int_t ngx_egress_hello_exts(ngx_egress_hello_t *st);
static ngx_int_t ngx_egress_hello_next(ngx_egress_hello_t *st,
    ngx_uint_t field, size_t len);
static ngx_int_t ngx_egress_hello_skip(ngx_egress_hello_t *st,
    ngx_uint_t field, size_t len);
static ngx_int_t ngx_egress_hello_ext_type(ngx_egress_hello_t *st);
static ngx_int_t ngx_egress_hello_ext(ngx_egress_hello_t *st);
static ngx_int_t ngx_egress_hello_sni(ngx_egress_hello_t *st);
static ngx_int_t ngx_egress_hello_alpn(ngx_egress_hello_t *st);
static ngx_int_t ngx_egress_hello_failed(ngx_egress_hello_t *st,
    ngx_uint_t error);


enum {
    sw_type = 0,
    sw_major,
    sw_minor,
    sw_length_hi,
    sw_length_lo,
    sw_fragment
};


/* in the order of the wire */

enum {
    fd_type = 0,
    fd_length,
    fd_fixed,                         /* legacy_version, random */
    fd_session_len,
    fd_session,
    fd_ciphers_len,
    fd_ciphers,
    fd_compression_len,
    fd_compression,
    fd_exts_len,
    fd_ext_type,
    fd_ext_len,
    fd_ext
};


static char  *ngx_egress_hello_errors[] = {
    "no error",
    "not a TLS handshake",
    "not a ClientHello",
    "empty TLS record",
    "TLS record is too long",
    "ClientHello is too long",
    "malformed ClientHello",
    "invalid server name extension",
    "invalid ALPN extension",
    "duplicate extension"
};


ngx_int_t
ngx_egress_hello(ngx_egress_hello_t *st, u_char **pos, u_char *last)
{
    size_t     max;
    ngx_int_t  rc;

    max = st->max ? st->max : NGX_EGRESS_HELLO_MAX;

    while (*pos < last) {

        if (st->size == max) {
            return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_TOO_LONG);
        }

        st->size++;

        rc = ngx_egress_hello_record(st, *(*pos)++);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_hello_record(ngx_egress_hello_t *st, u_char ch)
{
    ngx_uint_t  error;

    error = NGX_EGRESS_HELLO_OK;

    switch (st->record_state) {

    case sw_type:
        error = (ch == 0x16) ? NGX_EGRESS_HELLO_OK : NGX_EGRESS_HELLO_NOT_TLS;
        break;

    case sw_major:
        error = (ch == 3) ? NGX_EGRESS_HELLO_OK : NGX_EGRESS_HELLO_NOT_TLS;
        break;

    case sw_minor:
        error = (ch <= 4) ? NGX_EGRESS_HELLO_OK : NGX_EGRESS_HELLO_NOT_TLS;
        break;

    case sw_length_hi:
        st->record = (size_t) ch << 8;
        break;

    case sw_length_lo:
        st->record |= ch;

        if (st->record == 0) {
            error = NGX_EGRESS_HELLO_EMPTY_RECORD;

        } else if (st->record > NGX_EGRESS_HELLO_RECORD) {
            error = NGX_EGRESS_HELLO_LONG_RECORD;
        }

        break;

    default: /* sw_fragment */
        if (--st->record == 0) {
            st->record_state = sw_type;
        }

        return ngx_egress_hello_byte(st, ch);
    }

    if (error != NGX_EGRESS_HELLO_OK) {
        return ngx_egress_hello_failed(st, error);
    }

    st->record_state++;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_hello_byte(ngx_egress_hello_t *st, u_char ch)
{
    if (st->field == fd_type) {

        if (ch != 1) {
            return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_NOT_HELLO);
        }

        st->field = fd_length;
        st->want = 3;

        return NGX_AGAIN;
    }

    st->value = st->value << 8 | ch;

    if (st->field == fd_ext && st->ext_len < NGX_EGRESS_HELLO_EXT_LEN) {
        st->ext[st->ext_len++] = ch;
    }

    if (--st->want > 0) {
        return NGX_AGAIN;
    }

    return ngx_egress_hello_field(st);
}


/* the field is complete: st->value is its number, if it is one */

static ngx_int_t
ngx_egress_hello_field(ngx_egress_hello_t *st)
{
    size_t  n;

    n = st->value;

    switch (st->field) {

    case fd_length:
        if (n > (st->max ? st->max : NGX_EGRESS_HELLO_MAX)) {
            return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_TOO_LONG);
        }

        st->body = n;
        return ngx_egress_hello_next(st, fd_fixed, 2 + 32);

    case fd_fixed:
        return ngx_egress_hello_next(st, fd_session_len, 1);

    case fd_session_len:
        if (n > 32) {
            break;
        }

        return ngx_egress_hello_skip(st, fd_session, n);

    case fd_session:
        return ngx_egress_hello_next(st, fd_ciphers_len, 2);

    case fd_ciphers_len:
        if (n == 0 || n % 2) {
            break;
        }

        return ngx_egress_hello_skip(st, fd_ciphers, n);

    case fd_ciphers:
        return ngx_egress_hello_next(st, fd_compression_len, 1);

    case fd_compression_len:
        if (n == 0) {
            break;
        }

        return ngx_egress_hello_skip(st, fd_compression, n);

    default:
        return ngx_egress_hello_exts(st);
    }

    return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_MALFORMED);
}


static ngx_int_t
ngx_egress_hello_exts(ngx_egress_hello_t *st)
{
    size_t  n;

    n = st->value;

    switch (st->field) {

    case fd_compression:
        /* before TLS 1.3 there may be no extensions at all */
        return (st->body == 0) ? NGX_OK
                               : ngx_egress_hello_next(st, fd_exts_len, 2);

    case fd_exts_len:
        if (n != st->body) {
            break;
        }

        return (n == 0) ? NGX_OK : ngx_egress_hello_next(st, fd_ext_type, 2);

    case fd_ext_type:
        st->ext_type = n;
        return ngx_egress_hello_next(st, fd_ext_len, 2);

    case fd_ext_len:
        if (ngx_egress_hello_ext_type(st) != NGX_OK) {
            return NGX_ERROR;
        }

        st->ext_len = 0;

        return ngx_egress_hello_skip(st, fd_ext, n);

    default: /* fd_ext */
        if (ngx_egress_hello_ext(st) != NGX_OK) {
            return NGX_ERROR;
        }

        return (st->body == 0) ? NGX_OK
                               : ngx_egress_hello_next(st, fd_ext_type, 2);
    }

    return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_MALFORMED);
}


/* len > 0 */

static ngx_int_t
ngx_egress_hello_next(ngx_egress_hello_t *st, ngx_uint_t field, size_t len)
{
    if (len > st->body) {
        return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_MALFORMED);
    }

    st->body -= len;
    st->field = (u_char) field;
    st->want = len;
    st->value = 0;

    return NGX_AGAIN;
}


/* the same for a field that may be empty */

static ngx_int_t
ngx_egress_hello_skip(ngx_egress_hello_t *st, ngx_uint_t field, size_t len)
{
    if (len > 0) {
        return ngx_egress_hello_next(st, field, len);
    }

    st->field = (u_char) field;

    return ngx_egress_hello_field(st);
}


static ngx_int_t
ngx_egress_hello_ext_type(ngx_egress_hello_t *st)
{
    ngx_uint_t  seen;

    switch (st->ext_type) {

    case NGX_EGRESS_HELLO_EXT_SNI:
        seen = st->sni_seen;
        st->sni_seen = 1;
        break;

    case NGX_EGRESS_HELLO_EXT_ALPN:
        seen = st->alpn;
        st->alpn = 1;
        break;

    case NGX_EGRESS_HELLO_EXT_ECH:
        seen = st->ech;
        st->ech = 1;
        break;

    default:
        return NGX_OK;
    }

    return seen ? ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_DUPLICATE)
                : NGX_OK;
}


static ngx_int_t
ngx_egress_hello_ext(ngx_egress_hello_t *st)
{
    switch (st->ext_type) {

    case NGX_EGRESS_HELLO_EXT_SNI:
        return ngx_egress_hello_sni(st);

    case NGX_EGRESS_HELLO_EXT_ALPN:
        return ngx_egress_hello_alpn(st);

    default:
        return NGX_OK;
    }
}


/* a list that holds nothing but one host_name */

static ngx_int_t
ngx_egress_hello_sni(ngx_egress_hello_t *st)
{
    size_t   len;
    u_char  *p;

    p = st->ext;
    len = st->ext_len;

    if (len < 2 + 1 + 2 + 1 || len > 2 + 1 + 2 + NGX_EGRESS_HELLO_SNI_LEN
        || ngx_egress_get16(&p[0]) != len - 2
        || p[2] != 0
        || ngx_egress_get16(&p[3]) != len - 5)
    {
        return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_BAD_SNI);
    }

    st->sni.data = st->name;
    st->sni.len = len - 5;
    ngx_memcpy(st->name, &p[5], st->sni.len);

    return NGX_OK;
}


static ngx_int_t
ngx_egress_hello_alpn(ngx_egress_hello_t *st)
{
    size_t   n;
    u_char  *p, *last;

    if (st->ext_len == NGX_EGRESS_HELLO_EXT_LEN) {
        /* perhaps cut; that it is there is all we can say */
        return NGX_OK;
    }

    p = st->ext + 2;
    last = st->ext + st->ext_len;

    if (st->ext_len < 4
        || ngx_egress_get16(&st->ext[0]) != (size_t) (last - p))
    {
        return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_BAD_ALPN);
    }

    while (p < last) {
        n = *p++;

        if (n == 0 || n > (size_t) (last - p)) {
            return ngx_egress_hello_failed(st, NGX_EGRESS_HELLO_BAD_ALPN);
        }

        if (n == 2 && ngx_memcmp(p, "h2", 2) == 0) {
            st->alpn_h2 = 1;

        } else if (n == 8 && ngx_memcmp(p, "http/1.1", 8) == 0) {
            st->alpn_http1 = 1;
        }

        p += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_hello_failed(ngx_egress_hello_t *st, ngx_uint_t error)
{
    st->error = (u_char) error;
    ngx_str_null(&st->sni);

    return NGX_ERROR;
}


char *
ngx_egress_hello_strerror(ngx_uint_t error)
{
    return (error < NGX_EGRESS_HELLO_ERRORS) ? ngx_egress_hello_errors[error]
                                             : "unknown error";
}
