
/*
 * Copyright (C) ngx_egress authors
 *
 * Shared by the SOCKS codecs: the texts of errors, the collecting of
 * length-prefixed messages, and the address format of RFC 1928.
 */


#include "ngx_egress_socks.h"


#define NGX_EGRESS_SOCKS_ATYP_IPV4   1
#define NGX_EGRESS_SOCKS_ATYP_NAME   3
#define NGX_EGRESS_SOCKS_ATYP_IPV6   4


static char  *ngx_egress_socks_errors[] = {
    "no error",
    "unexpected version",
    "unknown command",
    "reserved byte is not zero",
    "unknown address type",
    "invalid host",
    "invalid port",
    "invalid user name",
    "invalid password",
    "truncated datagram"
};


char *
ngx_egress_socks_strerror(ngx_uint_t error)
{
    return (error < NGX_EGRESS_SOCKS_ERRORS) ? ngx_egress_socks_errors[error]
                                             : "unknown error";
}


ngx_int_t
ngx_egress_socks_collect(ngx_egress_socks_frame_t *f,
    ngx_egress_socks_need_pt need, u_char **pos, u_char *last)
{
    size_t  n;

    for ( ;; ) {

        n = need(f);

        if (n == 0) {
            return NGX_ERROR;
        }

        if (n == f->len) {
            return NGX_OK;
        }

        if (*pos == last) {
            return NGX_AGAIN;
        }

        n = ngx_min(n - f->len, (size_t) (last - *pos));

        ngx_memcpy(&f->data[f->len], *pos, n);

        f->len += n;
        *pos += n;
    }
}


size_t
ngx_egress_socks_failed(ngx_egress_socks_frame_t *f, ngx_uint_t error)
{
    f->error = error;

    return 0;
}


size_t
ngx_egress_socks_addr_need(u_char *p, size_t len)
{
    if (len == 0) {
        return 1;
    }

    switch (p[0]) {

    case NGX_EGRESS_SOCKS_ATYP_IPV4:
        return 1 + 4 + 2;

    case NGX_EGRESS_SOCKS_ATYP_IPV6:
        return 1 + 16 + 2;

    case NGX_EGRESS_SOCKS_ATYP_NAME:
        return (len == 1) ? 2 : (size_t) 1 + 1 + p[1] + 2;

    default:
        return 0;
    }
}


ngx_int_t
ngx_egress_socks_addr_read(ngx_egress_addr_t *a, u_char *host, u_char *p)
{
    size_t  len;

    switch (p[0]) {

    case NGX_EGRESS_SOCKS_ATYP_IPV4:
        ngx_egress_addr_in(a, host, &p[1], ngx_egress_get16(&p[5]));
        return NGX_OK;

    case NGX_EGRESS_SOCKS_ATYP_IPV6:
        ngx_egress_addr_in6(a, host, &p[1], ngx_egress_get16(&p[17]));
        return NGX_OK;

    default: /* NGX_EGRESS_SOCKS_ATYP_NAME */
        len = p[1];

        if (ngx_egress_addr_host(a, host, &p[2], len) != NGX_OK) {
            return NGX_ERROR;
        }

        a->port = ngx_egress_get16(&p[2 + len]);

        return NGX_OK;
    }
}


u_char *
ngx_egress_socks_addr_write(u_char *p, ngx_egress_addr_t *a)
{
    if (a == NULL) {
        *p++ = NGX_EGRESS_SOCKS_ATYP_IPV4;
        ngx_memzero(p, 4 + 2);
        return p + 4 + 2;
    }

    switch (a->family) {

    case AF_INET:
        *p++ = NGX_EGRESS_SOCKS_ATYP_IPV4;
        p = ngx_cpymem(p, a->ip.bytes, 4);
        break;

    case AF_INET6:
        *p++ = NGX_EGRESS_SOCKS_ATYP_IPV6;
        p = ngx_cpymem(p, a->ip.bytes, 16);
        break;

    default:
        *p++ = NGX_EGRESS_SOCKS_ATYP_NAME;
        *p++ = (u_char) a->host.len;
        p = ngx_cpymem(p, a->host.data, a->host.len);
        break;
    }

    return ngx_egress_put16(p, a->port);
}
