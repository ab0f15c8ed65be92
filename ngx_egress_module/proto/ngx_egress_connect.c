
/*
 * Copyright (C) ngx_egress authors
 *
 * Writes CONNECT for a next HTTP proxy and reads the head of its reply.
 * Fields of the reply are checked for their form and forgotten: RFC 9110
 * gives a successful reply to CONNECT no body, and any other one is closed.
 */


#include "ngx_egress_connect.h"


static ngx_int_t ngx_egress_connect_byte(ngx_egress_connect_reply_t *st,
    u_char ch);
static ngx_int_t ngx_egress_connect_version(ngx_egress_connect_reply_t *st,
    u_char ch);
static ngx_int_t ngx_egress_connect_status(ngx_egress_connect_reply_t *st,
    u_char ch);
static ngx_int_t ngx_egress_connect_header(ngx_egress_connect_reply_t *st,
    u_char ch);
static ngx_int_t ngx_egress_connect_done(ngx_egress_connect_reply_t *st);
static ngx_uint_t ngx_egress_connect_token(u_char ch);


enum {
    sw_version = 0,                   /* "HTTP/1.x " */
    sw_status,
    sw_after_status,
    sw_reason,
    sw_reason_lf,
    sw_line,                          /* at the start of a line */
    sw_name,
    sw_value,
    sw_value_lf,
    sw_last_lf
};


size_t
ngx_egress_connect_request_len(ngx_egress_connect_request_t *r)
{
    return sizeof("CONNECT  HTTP/1.1" CRLF "Host: " CRLF CRLF) - 1
           + 2 * NGX_EGRESS_ADDR_LEN
           + sizeof("Proxy-Authorization: " CRLF) - 1 + r->authorization.len
           + r->headers.len;
}


u_char *
ngx_egress_connect_request(u_char *buf, ngx_egress_connect_request_t *r)
{
    u_char  *p;

    p = ngx_cpymem(buf, "CONNECT ", sizeof("CONNECT ") - 1);
    p = ngx_egress_addr_print(p, r->target);
    p = ngx_cpymem(p, " HTTP/1.1" CRLF "Host: ",
                   sizeof(" HTTP/1.1" CRLF "Host: ") - 1);
    p = ngx_egress_addr_print(p, r->target);
    p = ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);

    if (r->authorization.len) {
        p = ngx_cpymem(p, "Proxy-Authorization: ",
                       sizeof("Proxy-Authorization: ") - 1);
        p = ngx_cpymem(p, r->authorization.data, r->authorization.len);
        p = ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);
    }

    if (r->headers.len) {
        p = ngx_cpymem(p, r->headers.data, r->headers.len);
    }

    return ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);
}


ngx_uint_t
ngx_egress_connect_safe(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if ((value->data[i] < ' ' && value->data[i] != '\t')
            || value->data[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_egress_connect_reply(ngx_egress_connect_reply_t *st, u_char **pos,
    u_char *last)
{
    size_t     max;
    ngx_int_t  rc;

    max = st->max ? st->max : NGX_EGRESS_CONNECT_REPLY_MAX;

    while (*pos < last) {

        if (st->size == max) {
            return NGX_ERROR;
        }

        st->size++;

        rc = ngx_egress_connect_byte(st, *(*pos)++);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_connect_byte(ngx_egress_connect_reply_t *st, u_char ch)
{
    switch (st->state) {

    case sw_version:
        return ngx_egress_connect_version(st, ch);

    case sw_status:
    case sw_after_status:
    case sw_reason:
    case sw_reason_lf:
        return ngx_egress_connect_status(st, ch);

    default:
        return ngx_egress_connect_header(st, ch);
    }
}


static ngx_int_t
ngx_egress_connect_version(ngx_egress_connect_reply_t *st, u_char ch)
{
    static u_char  version[] = "HTTP/1.x ";

    if (version[st->digits] == 'x') {
        if (ch < '0' || ch > '9') {
            return NGX_ERROR;
        }

    } else if (ch != version[st->digits]) {
        return NGX_ERROR;
    }

    if (++st->digits == sizeof(version) - 1) {
        st->digits = 0;
        st->status = 0;
        st->state = sw_status;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_connect_status(ngx_egress_connect_reply_t *st, u_char ch)
{
    switch (st->state) {

    case sw_status:
        if (ch < '0' || ch > '9') {
            return NGX_ERROR;
        }

        st->status = st->status * 10 + (ch - '0');

        if (++st->digits == 3) {
            st->digits = 0;
            st->state = sw_after_status;

            if (st->status < 100 || st->status > 599) {
                return NGX_ERROR;
            }
        }

        return NGX_AGAIN;

    case sw_after_status:
        if (ch != ' ' && ch != CR && ch != LF) {
            return NGX_ERROR;
        }

        /* fall through */

    case sw_reason:
        st->state = (ch == CR) ? sw_reason_lf
                               : (ch == LF) ? sw_line : sw_reason;
        return (ch == '\0') ? NGX_ERROR : NGX_AGAIN;

    default: /* sw_reason_lf */
        st->state = sw_line;
        return (ch == LF) ? NGX_AGAIN : NGX_ERROR;
    }
}


/* a folded line starts with a blank, which is no token: refused */

static ngx_int_t
ngx_egress_connect_header(ngx_egress_connect_reply_t *st, u_char ch)
{
    switch (st->state) {

    case sw_line:
        if (ch == LF) {
            return ngx_egress_connect_done(st);
        }

        if (ch == CR) {
            st->state = sw_last_lf;
            return NGX_AGAIN;
        }

        st->state = sw_name;

        return ngx_egress_connect_token(ch) ? NGX_AGAIN : NGX_ERROR;

    case sw_name:
        if (ch == ':') {
            st->state = sw_value;
            return NGX_AGAIN;
        }

        return ngx_egress_connect_token(ch) ? NGX_AGAIN : NGX_ERROR;

    case sw_value:
        if (ch == CR) {
            st->state = sw_value_lf;

        } else if (ch == LF) {
            st->state = sw_line;
        }

        return (ch == '\0') ? NGX_ERROR : NGX_AGAIN;

    case sw_value_lf:
        st->state = sw_line;
        return (ch == LF) ? NGX_AGAIN : NGX_ERROR;

    default: /* sw_last_lf */
        return (ch == LF) ? ngx_egress_connect_done(st) : NGX_ERROR;
    }
}


static ngx_int_t
ngx_egress_connect_done(ngx_egress_connect_reply_t *st)
{
    if (st->status >= 200 || st->status == 101) {
        return NGX_OK;
    }

    st->state = sw_version;

    return NGX_AGAIN;
}


/* RFC 9110, 5.6.2 */

static ngx_uint_t
ngx_egress_connect_token(u_char ch)
{
    if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
        || (ch >= '0' && ch <= '9'))
    {
        return 1;
    }

    return ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL;
}
