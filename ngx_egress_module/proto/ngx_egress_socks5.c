
/*
 * Copyright (C) ngx_egress authors
 *
 * Reads what a SOCKS5 client says and writes the answers.  Chooses no method
 * and knows no user.
 */


#include "ngx_egress_socks5.h"


static size_t ngx_egress_socks5_greeting_need(ngx_egress_socks_frame_t *f);
static size_t ngx_egress_socks5_auth_need(ngx_egress_socks_frame_t *f);
static size_t ngx_egress_socks5_request_need(ngx_egress_socks_frame_t *f);


ngx_int_t
ngx_egress_socks5_greeting(ngx_egress_socks5_greeting_t *st, u_char **pos,
    u_char *last)
{
    return ngx_egress_socks_collect(&st->frame,
                                    ngx_egress_socks5_greeting_need, pos,
                                    last);
}


static size_t
ngx_egress_socks5_greeting_need(ngx_egress_socks_frame_t *f)
{
    if (f->len > 0 && f->data[0] != 5) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_VERSION);
    }

    return (f->len < 2) ? 2 : (size_t) 2 + f->data[1];
}


ngx_uint_t
ngx_egress_socks5_offers(ngx_egress_socks5_greeting_t *st, ngx_uint_t method)
{
    size_t  i;

    for (i = 2; i < st->frame.len; i++) {
        if (st->frame.data[i] == method) {
            return 1;
        }
    }

    return 0;
}


u_char *
ngx_egress_socks5_choice(u_char *buf, ngx_uint_t method)
{
    buf[0] = 5;
    buf[1] = (u_char) method;

    return buf + NGX_EGRESS_SOCKS5_CHOICE_LEN;
}


ngx_int_t
ngx_egress_socks5_auth(ngx_egress_socks5_auth_t *st, u_char **pos,
    u_char *last)
{
    u_char     *p;
    ngx_int_t   rc;

    rc = ngx_egress_socks_collect(&st->frame, ngx_egress_socks5_auth_need,
                                  pos, last);
    if (rc != NGX_OK) {
        return rc;
    }

    p = &st->frame.data[1];

    st->user.len = *p++;
    st->user.data = p;
    p += st->user.len;

    st->password.len = *p++;
    st->password.data = p;

    /* a C string somewhere behind would see another user */

    if (memchr(st->user.data, '\0', st->user.len) != NULL) {
        st->frame.error = NGX_EGRESS_SOCKS_USER;
        return NGX_ERROR;
    }

    if (memchr(st->password.data, '\0', st->password.len) != NULL) {
        st->frame.error = NGX_EGRESS_SOCKS_PASSWORD;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static size_t
ngx_egress_socks5_auth_need(ngx_egress_socks_frame_t *f)
{
    size_t  need;

    if (f->len > 0 && f->data[0] != 1) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_VERSION);
    }

    if (f->len < 2) {
        return 2;
    }

    /* RFC 1929: both lengths are 1..255 */

    if (f->data[1] == 0) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_USER);
    }

    need = (size_t) 2 + f->data[1] + 1;

    if (f->len < need) {
        return need;
    }

    if (f->data[need - 1] == 0) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_PASSWORD);
    }

    return need + f->data[need - 1];
}


u_char *
ngx_egress_socks5_auth_status(u_char *buf, ngx_uint_t ok)
{
    buf[0] = 1;
    buf[1] = ok ? 0 : 1;

    return buf + NGX_EGRESS_SOCKS5_STATUS_LEN;
}


ngx_int_t
ngx_egress_socks5_request(ngx_egress_socks5_request_t *st, u_char **pos,
    u_char *last)
{
    ngx_int_t  rc;

    rc = ngx_egress_socks_collect(&st->frame, ngx_egress_socks5_request_need,
                                  pos, last);
    if (rc != NGX_OK) {
        return rc;
    }

    st->command = st->frame.data[1];

    rc = ngx_egress_socks_addr_read(&st->addr, st->host, &st->frame.data[3]);

    if (rc != NGX_OK) {
        st->frame.error = NGX_EGRESS_SOCKS_HOST;
        return NGX_ERROR;
    }

    if (st->addr.port == 0 && st->command == NGX_EGRESS_SOCKS_CONNECT) {
        st->frame.error = NGX_EGRESS_SOCKS_PORT;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static size_t
ngx_egress_socks5_request_need(ngx_egress_socks_frame_t *f)
{
    size_t  need;

    if (f->len > 0 && f->data[0] != 5) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_VERSION);
    }

    if (f->len > 2 && f->data[2] != 0) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_RESERVED);
    }

    if (f->len < 4) {
        return 4;
    }

    need = ngx_egress_socks_addr_need(&f->data[3], f->len - 3);

    if (need == 0) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_ATYP);
    }

    return 3 + need;
}


u_char *
ngx_egress_socks5_reply(u_char *buf, ngx_uint_t code,
    ngx_egress_addr_t *bound)
{
    buf[0] = 5;
    buf[1] = (u_char) code;
    buf[2] = 0;

    return ngx_egress_socks_addr_write(&buf[3], bound);
}


ngx_int_t
ngx_egress_socks5_udp_read(ngx_egress_socks5_udp_t *u, u_char *p, size_t len)
{
    size_t  need;

    u->error = NGX_EGRESS_SOCKS_SHORT;

    if (len < 4) {
        return NGX_ERROR;
    }

    if (p[0] != 0 || p[1] != 0) {
        u->error = NGX_EGRESS_SOCKS_RESERVED;
        return NGX_ERROR;
    }

    u->frag = p[2];

    p += 3;
    len -= 3;

    need = ngx_egress_socks_addr_need(p, len);

    if (need == 0) {
        u->error = NGX_EGRESS_SOCKS_ATYP;
        return NGX_ERROR;
    }

    if (len < need) {
        return NGX_ERROR;
    }

    if (ngx_egress_socks_addr_read(&u->addr, u->host, p) != NGX_OK) {
        u->error = NGX_EGRESS_SOCKS_HOST;
        return NGX_ERROR;
    }

    u->error = NGX_EGRESS_SOCKS_OK;
    u->size = 3 + need;

    return NGX_OK;
}


u_char *
ngx_egress_socks5_udp_write(u_char *buf, ngx_egress_addr_t *a)
{
    ngx_memzero(buf, 3);

    return ngx_egress_socks_addr_write(&buf[3], a);
}
