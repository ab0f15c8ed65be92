
/*
 * Copyright (C) ngx_egress authors
 *
 * Reads SOCKS4 and SOCKS4a requests and writes their replies.  Strings end
 * with a zero and have no length in this protocol: they are bounded here.
 */


#include "ngx_egress_socks4.h"


static ngx_int_t ngx_egress_socks4_byte(ngx_egress_socks4_request_t *st,
    u_char ch);
static ngx_int_t ngx_egress_socks4_head(ngx_egress_socks4_request_t *st,
    u_char ch);
static ngx_int_t ngx_egress_socks4_user(ngx_egress_socks4_request_t *st,
    u_char ch);
static ngx_int_t ngx_egress_socks4_host(ngx_egress_socks4_request_t *st,
    u_char ch);
static ngx_int_t ngx_egress_socks4_failed(ngx_egress_socks4_request_t *st,
    ngx_uint_t error);


enum {
    sw_head = 0,                      /* version, command, port, address */
    sw_user,
    sw_host
};


ngx_int_t
ngx_egress_socks4_request(ngx_egress_socks4_request_t *st, u_char **pos,
    u_char *last)
{
    ngx_int_t  rc;

    while (*pos < last) {

        rc = ngx_egress_socks4_byte(st, *(*pos)++);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_socks4_byte(ngx_egress_socks4_request_t *st, u_char ch)
{
    switch (st->state) {

    case sw_head:
        return ngx_egress_socks4_head(st, ch);

    case sw_user:
        return ngx_egress_socks4_user(st, ch);

    default: /* sw_host */
        return ngx_egress_socks4_host(st, ch);
    }
}


static ngx_int_t
ngx_egress_socks4_head(ngx_egress_socks4_request_t *st, u_char ch)
{
    u_char     *ip;
    in_port_t   port;

    st->head[st->len++] = ch;

    if (st->len == 1 && ch != 4) {
        return ngx_egress_socks4_failed(st, NGX_EGRESS_SOCKS_VERSION);
    }

    if (st->len == 2) {
        st->command = ch;

        if (ch != NGX_EGRESS_SOCKS_CONNECT && ch != NGX_EGRESS_SOCKS_BIND) {
            return ngx_egress_socks4_failed(st, NGX_EGRESS_SOCKS_COMMAND);
        }
    }

    if (st->len < sizeof(st->head)) {
        return NGX_AGAIN;
    }

    ip = &st->head[4];
    port = (in_port_t) ngx_egress_get16(&st->head[2]);

    if (port == 0 && st->command == NGX_EGRESS_SOCKS_CONNECT) {
        return ngx_egress_socks4_failed(st, NGX_EGRESS_SOCKS_PORT);
    }

    /* 0.0.0.x, x not zero: a name follows the user */

    if (ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0) {
        st->named = 1;

    } else {
        ngx_egress_addr_in(&st->addr, st->host, ip, port);
    }

    st->len = 0;
    st->state = sw_user;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_socks4_user(ngx_egress_socks4_request_t *st, u_char ch)
{
    if (ch != '\0') {

        if (st->len == NGX_EGRESS_SOCKS4_USER_LEN) {
            return ngx_egress_socks4_failed(st, NGX_EGRESS_SOCKS_USER);
        }

        st->text[st->len++] = ch;

        return NGX_AGAIN;
    }

    st->user.data = st->text;
    st->user.len = st->len;

    if (!st->named) {
        return NGX_OK;
    }

    st->len = 0;
    st->state = sw_host;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_egress_socks4_host(ngx_egress_socks4_request_t *st, u_char ch)
{
    if (ch != '\0') {

        if (st->len == sizeof(st->host)) {
            st->addr.error = NGX_EGRESS_ADDR_TOO_LONG;
            return ngx_egress_socks4_failed(st, NGX_EGRESS_SOCKS_HOST);
        }

        st->host[st->len++] = ch;

        return NGX_AGAIN;
    }

    if (ngx_egress_addr_host(&st->addr, st->host, st->host, st->len)
        != NGX_OK)
    {
        return ngx_egress_socks4_failed(st, NGX_EGRESS_SOCKS_HOST);
    }

    st->addr.port = (in_port_t) ngx_egress_get16(&st->head[2]);

    return NGX_OK;
}


static ngx_int_t
ngx_egress_socks4_failed(ngx_egress_socks4_request_t *st, ngx_uint_t error)
{
    st->error = error;

    return NGX_ERROR;
}


u_char *
ngx_egress_socks4_reply(u_char *buf, ngx_uint_t code,
    ngx_egress_addr_t *bound)
{
    u_char  *p;

    p = buf;

    *p++ = 0;
    *p++ = (u_char) code;

    if (bound != NULL && bound->family == AF_INET) {
        p = ngx_egress_put16(p, bound->port);
        return ngx_cpymem(p, bound->ip.bytes, 4);
    }

    ngx_memzero(p, 6);

    return p + 6;
}
