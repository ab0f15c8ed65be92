
/*
 * Copyright (C) ngx_egress authors
 *
 * Writes what a SOCKS5 client says and reads the answers.
 */


#include "ngx_egress_socks5_client.h"


static size_t ngx_egress_socks5_choice_need(ngx_egress_socks_frame_t *f);
static size_t ngx_egress_socks5_status_need(ngx_egress_socks_frame_t *f);
static size_t ngx_egress_socks5_reply_need(ngx_egress_socks_frame_t *f);


u_char *
ngx_egress_socks5_client_greeting(u_char *buf, ngx_uint_t auth)
{
    u_char  *p;

    p = buf;

    *p++ = 5;
    *p++ = auth ? 2 : 1;
    *p++ = NGX_EGRESS_SOCKS5_NO_AUTH;

    if (auth) {
        *p++ = NGX_EGRESS_SOCKS5_USERPASS;
    }

    return p;
}


ngx_int_t
ngx_egress_socks5_client_choice(ngx_egress_socks5_choice_t *st, u_char **pos,
    u_char *last)
{
    ngx_int_t  rc;

    rc = ngx_egress_socks_collect(&st->frame, ngx_egress_socks5_choice_need,
                                  pos, last);

    if (rc == NGX_OK) {
        st->code = st->frame.data[1];
    }

    return rc;
}


static size_t
ngx_egress_socks5_choice_need(ngx_egress_socks_frame_t *f)
{
    if (f->len > 0 && f->data[0] != 5) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_VERSION);
    }

    return NGX_EGRESS_SOCKS5_CHOICE_LEN;
}


ngx_uint_t
ngx_egress_socks5_client_auth_valid(ngx_str_t *user, ngx_str_t *password)
{
    return user->len > 0 && user->len <= 255
           && password->len > 0 && password->len <= 255
           && memchr(user->data, '\0', user->len) == NULL
           && memchr(password->data, '\0', password->len) == NULL;
}


u_char *
ngx_egress_socks5_client_auth(u_char *buf, ngx_str_t *user,
    ngx_str_t *password)
{
    u_char  *p;

    p = buf;

    *p++ = 1;
    *p++ = (u_char) user->len;
    p = ngx_cpymem(p, user->data, user->len);
    *p++ = (u_char) password->len;

    return ngx_cpymem(p, password->data, password->len);
}


ngx_int_t
ngx_egress_socks5_client_status(ngx_egress_socks5_choice_t *st, u_char **pos,
    u_char *last)
{
    ngx_int_t  rc;

    rc = ngx_egress_socks_collect(&st->frame, ngx_egress_socks5_status_need,
                                  pos, last);

    if (rc == NGX_OK) {
        st->code = st->frame.data[1];
    }

    return rc;
}


static size_t
ngx_egress_socks5_status_need(ngx_egress_socks_frame_t *f)
{
    /* RFC 1929 says 1, some servers repeat the 5 of the greeting */

    if (f->len > 0 && f->data[0] != 1 && f->data[0] != 5) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_VERSION);
    }

    return NGX_EGRESS_SOCKS5_STATUS_LEN;
}


u_char *
ngx_egress_socks5_client_request(u_char *buf, ngx_uint_t command,
    ngx_egress_addr_t *addr)
{
    buf[0] = 5;
    buf[1] = (u_char) command;
    buf[2] = 0;

    return ngx_egress_socks_addr_write(&buf[3], addr);
}


ngx_int_t
ngx_egress_socks5_client_reply(ngx_egress_socks5_reply_t *st, u_char **pos,
    u_char *last)
{
    ngx_int_t  rc;

    rc = ngx_egress_socks_collect(&st->frame, ngx_egress_socks5_reply_need,
                                  pos, last);
    if (rc != NGX_OK) {
        return rc;
    }

    st->code = st->frame.data[1];

    if (st->code == NGX_EGRESS_SOCKS5_SUCCEEDED) {

        /* CONNECT does not care, UDP ASSOCIATE looks at bound.error */

        (void) (ngx_egress_socks_addr_read(&st->bound, st->host,
                                           &st->frame.data[3]) == NGX_OK);
    }

    return NGX_OK;
}


static size_t
ngx_egress_socks5_reply_need(ngx_egress_socks_frame_t *f)
{
    size_t  need;

    if (f->len > 0 && f->data[0] != 5) {
        return ngx_egress_socks_failed(f, NGX_EGRESS_SOCKS_VERSION);
    }

    if (f->len < 2 || f->data[1] != NGX_EGRESS_SOCKS5_SUCCEEDED) {
        return 2;
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
