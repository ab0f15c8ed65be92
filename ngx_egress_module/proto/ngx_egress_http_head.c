
/*
 * Copyright (C) ngx_egress authors
 *
 * Finds the host of an HTTP/1 request.  Reads the head to its end, since a
 * second Host may come last; keeps nothing but the host, and does not judge
 * it.
 */


#include "ngx_egress_http_head.h"


static ngx_int_t ngx_egress_http_line(ngx_egress_http_head_t *st, u_char ch);
static ngx_int_t ngx_egress_http_target(ngx_egress_http_head_t *st,
    u_char ch);
static ngx_int_t ngx_egress_http_authority(ngx_egress_http_head_t *st);
static ngx_int_t ngx_egress_http_absolute(ngx_egress_http_head_t *st);
static ngx_int_t ngx_egress_http_version(ngx_egress_http_head_t *st,
    u_char ch);
static ngx_int_t ngx_egress_http_field(ngx_egress_http_head_t *st, u_char ch);
static ngx_int_t ngx_egress_http_name(ngx_egress_http_head_t *st, u_char ch);
static ngx_int_t ngx_egress_http_value(ngx_egress_http_head_t *st, u_char ch);
static ngx_int_t ngx_egress_http_end(ngx_egress_http_head_t *st);
static ngx_int_t ngx_egress_http_next(ngx_egress_http_head_t *st);
static ngx_int_t ngx_egress_http_done(ngx_egress_http_head_t *st);
static ngx_int_t ngx_egress_http_failed(ngx_egress_http_head_t *st,
    ngx_uint_t error);


enum {
    sw_method = 0,
    sw_target,
    sw_version,                       /* "HTTP/1.x" */
    sw_line_lf,
    sw_fields
};


static char  *ngx_egress_http_errors[] = {
    "no error",
    "not an HTTP/1 request",
    "invalid request target",
    "malformed header field",
    "too long \"Host\" header field",
    "several \"Host\" header fields",
    "request head is too long"
};


ngx_int_t
ngx_egress_http_head(ngx_egress_http_head_t *st, u_char **pos, u_char *last)
{
    size_t     max;
    u_char     ch;
    ngx_int_t  rc;

    max = st->max ? st->max : NGX_EGRESS_HTTP_HEAD_MAX;

    while (*pos < last) {

        if (st->size == max) {
            return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_TOO_LONG);
        }

        st->size++;
        ch = *(*pos)++;

        rc = (st->state == sw_fields) ? ngx_egress_http_field(st, ch)
                                      : ngx_egress_http_line(st, ch);
        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_http_line(ngx_egress_http_head_t *st, u_char ch)
{
    switch (st->state) {

    case sw_method:
        if (ch == ' ' && st->len > 0) {
            st->connect = (st->len == 7
                           && ngx_memcmp(st->method, "CONNECT", 7) == 0);
            st->state = sw_target;
            return NGX_AGAIN;
        }

        if (!ngx_egress_field_token(ch)
            || st->len == NGX_EGRESS_HTTP_METHOD_LEN)
        {
            break;
        }

        st->method[st->len++] = ch;

        return NGX_AGAIN;

    case sw_target:
        return ngx_egress_http_target(st, ch);

    case sw_version:
        return ngx_egress_http_version(st, ch);

    default: /* sw_line_lf */
        if (ch != LF) {
            break;
        }

        return ngx_egress_http_next(st);
    }

    return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_NOT_HTTP);
}


static ngx_int_t
ngx_egress_http_target(ngx_egress_http_head_t *st, u_char ch)
{
    if (ch == ' ') {
        st->len = 0;
        st->state = sw_version;

        return ngx_egress_http_authority(st);
    }

    if (ch < ' ' || ch == 0x7f) {
        return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_NOT_HTTP);
    }

    if (st->target_len < NGX_EGRESS_HTTP_TARGET_LEN) {
        st->target[st->target_len++] = ch;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_http_authority(ngx_egress_http_head_t *st)
{
    if (st->target_len == 0) {
        return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_TARGET);
    }

    if (st->connect) {

        if (st->target_len > NGX_EGRESS_ADDR_LEN) {
            return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_TARGET);
        }

        st->host.data = st->target;
        st->host.len = st->target_len;

        return NGX_AGAIN;
    }

    if (st->target[0] == '/'
        || (st->target[0] == '*' && st->target_len == 1))
    {
        return NGX_AGAIN;
    }

    return ngx_egress_http_absolute(st);
}


static ngx_int_t
ngx_egress_http_absolute(ngx_egress_http_head_t *st)
{
    u_char  *p, *s, *last;

    p = st->target;
    last = p + st->target_len;

    if (last - p > 7 && strncasecmp((char *) p, "http://", 7) == 0) {
        p += 7;

    } else if (last - p > 8 && strncasecmp((char *) p, "https://", 8) == 0) {
        p += 8;
        st->https = 1;

    } else {
        return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_TARGET);
    }

    for (s = p; s < last && *s != '/' && *s != '?' && *s != '#'; s++) {
        /* void */
    }

    if (s == p || s - p > (ssize_t) NGX_EGRESS_ADDR_LEN) {
        return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_TARGET);
    }

    st->absolute = 1;
    st->host.data = p;
    st->host.len = s - p;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_http_version(ngx_egress_http_head_t *st, u_char ch)
{
    static u_char  version[] = "HTTP/1.";

    if (st->len < sizeof(version) - 1) {
        if (ch == version[st->len]) {
            st->len++;
            return NGX_AGAIN;
        }

    } else if (st->len == sizeof(version) - 1) {
        if (ch >= '0' && ch <= '9') {
            st->len++;
            return NGX_AGAIN;
        }

    } else if (ch == CR) {
        st->state = sw_line_lf;
        return NGX_AGAIN;

    } else if (ch == LF) {
        return ngx_egress_http_next(st);
    }

    return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_NOT_HTTP);
}


static ngx_int_t
ngx_egress_http_field(ngx_egress_http_head_t *st, u_char ch)
{
    switch (ngx_egress_field_byte(&st->field, ch)) {

    case NGX_EGRESS_FIELD_NAME:
        return ngx_egress_http_name(st, ch);

    case NGX_EGRESS_FIELD_VALUE:
        return ngx_egress_http_value(st, ch);

    case NGX_EGRESS_FIELD_END:
        return ngx_egress_http_end(st);

    case NGX_EGRESS_FIELD_DONE:
        return ngx_egress_http_done(st);

    case NGX_EGRESS_FIELD_ERROR:
        return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_FIELD);

    default: /* NGX_EGRESS_FIELD_MORE */
        return NGX_AGAIN;
    }
}


static ngx_int_t
ngx_egress_http_name(ngx_egress_http_head_t *st, u_char ch)
{
    static u_char  name[] = "host";

    if (st->len == sizeof(name) - 1 || ngx_tolower(ch) != name[st->len]) {
        st->is_host = 0;
        return NGX_AGAIN;
    }

    st->len++;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_http_value(ngx_egress_http_head_t *st, u_char ch)
{
    if (!st->is_host || st->len != sizeof("host") - 1) {
        return NGX_AGAIN;
    }

    if (st->value_len == 0 && (ch == ' ' || ch == '\t')) {
        return NGX_AGAIN;
    }

    if (st->value_len == sizeof(st->value)) {
        return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_HOST);
    }

    st->value[st->value_len++] = ch;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_http_end(ngx_egress_http_head_t *st)
{
    if (st->is_host && st->len == sizeof("host") - 1) {

        if (st->hosts) {
            return ngx_egress_http_failed(st, NGX_EGRESS_HTTP_HOSTS);
        }

        st->hosts = 1;
    }

    return ngx_egress_http_next(st);
}


static ngx_int_t
ngx_egress_http_next(ngx_egress_http_head_t *st)
{
    st->len = 0;
    st->is_host = 1;
    st->state = sw_fields;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_http_done(ngx_egress_http_head_t *st)
{
    u_char  *p;

    if (st->host.len) {
        /* RFC 9112, 3.2.2: Host is ignored then */
        return NGX_OK;
    }

    for (p = st->value + st->value_len; p > st->value; p--) {
        if (p[-1] != ' ' && p[-1] != '\t') {
            break;
        }
    }

    st->host.data = st->value;
    st->host.len = p - st->value;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_http_failed(ngx_egress_http_head_t *st, ngx_uint_t error)
{
    st->error = (u_char) error;
    ngx_str_null(&st->host);

    return NGX_ERROR;
}


char *
ngx_egress_http_strerror(ngx_uint_t error)
{
    return (error < NGX_EGRESS_HTTP_ERRORS) ? ngx_egress_http_errors[error]
                                            : "unknown error";
}
