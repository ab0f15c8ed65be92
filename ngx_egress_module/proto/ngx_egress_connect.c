
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
static ngx_int_t ngx_egress_connect_fields(ngx_egress_connect_reply_t *st,
    u_char ch);


enum {
    sw_version = 0,                   /* "HTTP/1.x " */
    sw_status,
    sw_after_status,
    sw_reason,
    sw_reason_lf,
    sw_fields
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
        return ngx_egress_connect_fields(st, ch);
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
                               : (ch == LF) ? sw_fields : sw_reason;
        return (ch == '\0') ? NGX_ERROR : NGX_AGAIN;

    default: /* sw_reason_lf */
        st->state = sw_fields;
        return (ch == LF) ? NGX_AGAIN : NGX_ERROR;
    }
}


static ngx_int_t
ngx_egress_connect_fields(ngx_egress_connect_reply_t *st, u_char ch)
{
    switch (ngx_egress_field_byte(&st->field, ch)) {

    case NGX_EGRESS_FIELD_ERROR:
        return NGX_ERROR;

    case NGX_EGRESS_FIELD_DONE:
        break;

    default:
        return NGX_AGAIN;
    }

    if (st->status >= 200 || st->status == 101) {
        return NGX_OK;
    }

    /* an interim reply: another one follows */

    st->field.state = 0;
    st->state = sw_version;

    return NGX_AGAIN;
}
