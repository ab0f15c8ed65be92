
/*
 * Copyright (C) ngx_egress authors
 *
 * PROXY protocol version 2: head, addresses, checksum.  TLVs are in
 * ngx_egress_pp2_tlv.c, version 1 in ngx_egress_pp1.c.
 */


#include "ngx_egress_pp2.h"


#define NGX_EGRESS_PP2_LOCAL   0x20
#define NGX_EGRESS_PP2_PROXY   0x21

/* some systems have shorter paths than the wire */
#define NGX_EGRESS_PP2_PATH_LEN                                               \
    ngx_min(NGX_EGRESS_PP2_UNIX_LEN,                                          \
            sizeof(((struct sockaddr_un *) 0)->sun_path))


static ngx_int_t ngx_egress_pp2_head(ngx_egress_pp2_t *pp, u_char *p,
    size_t len);
static ngx_int_t ngx_egress_pp2_family(ngx_egress_pp2_t *pp, u_char byte);
static ngx_int_t ngx_egress_pp2_addrs(ngx_egress_pp2_t *pp, u_char *p,
    size_t len);
static size_t ngx_egress_pp2_addrs_len(ngx_uint_t family);
static void ngx_egress_pp2_read_addrs(ngx_egress_pp2_t *pp, u_char *p);
static u_char *ngx_egress_pp2_write_addrs(u_char *p, ngx_egress_pp2_t *pp);
static ngx_int_t ngx_egress_pp2_check_tlvs(ngx_egress_pp2_t *pp, u_char *p);
static uint32_t ngx_egress_pp2_crc(u_char *p, size_t size, u_char *crc);
static ngx_int_t ngx_egress_pp2_failed(ngx_egress_pp2_t *pp,
    ngx_uint_t error);


static u_char  ngx_egress_pp2_signature[] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};


static char  *ngx_egress_pp2_errors[] = {
    "no error",
    "no PROXY protocol header",
    "unknown version or command",
    "unknown address family or protocol",
    "header is too short for its addresses",
    "header is too long",
    "TLV is longer than the header",
    "invalid checksum",
    "malformed PROXY protocol version 1 header"
};


ngx_int_t
ngx_egress_pp_read(ngx_egress_pp2_t *pp, u_char *p, size_t len, size_t max)
{
    /* without a byte there is no telling, and version 1 may be shorter */

    if (len == 0) {
        ngx_memzero(pp, sizeof(ngx_egress_pp2_t));
        pp->need = 1;
        return NGX_AGAIN;
    }

    if (p[0] == 'P') {
        return ngx_egress_pp1_read(pp, p, len);
    }

    return ngx_egress_pp2_read(pp, p, len, max);
}


ngx_int_t
ngx_egress_pp2_read(ngx_egress_pp2_t *pp, u_char *p, size_t len, size_t max)
{
    ngx_int_t  rc;

    ngx_memzero(pp, sizeof(ngx_egress_pp2_t));
    pp->version = 2;

    rc = ngx_egress_pp2_head(pp, p, len);

    if (rc != NGX_OK) {
        return rc;
    }

    pp->size = NGX_EGRESS_PP2_HEAD_LEN + ngx_egress_get16(&p[14]);

    if (max && pp->size > max) {
        return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_TOO_LONG);
    }

    if (len < pp->size) {
        pp->need = pp->size;
        return NGX_AGAIN;
    }

    /* whatever LOCAL carries is to be discarded unseen */

    if (pp->local) {
        return NGX_OK;
    }

    rc = ngx_egress_pp2_addrs(pp, p + NGX_EGRESS_PP2_HEAD_LEN,
                              pp->size - NGX_EGRESS_PP2_HEAD_LEN);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_egress_pp2_check_tlvs(pp, p);
}


/* every byte is judged as soon as it is there: a stranger need not wait */

static ngx_int_t
ngx_egress_pp2_head(ngx_egress_pp2_t *pp, u_char *p, size_t len)
{
    size_t  n;

    n = ngx_min(len, sizeof(ngx_egress_pp2_signature));

    if (ngx_memcmp(p, ngx_egress_pp2_signature, n) != 0) {
        return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_NO_HEADER);
    }

    if (len > 12) {

        if (p[12] != NGX_EGRESS_PP2_LOCAL && p[12] != NGX_EGRESS_PP2_PROXY) {
            return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_VERSION);
        }

        pp->local = (p[12] == NGX_EGRESS_PP2_LOCAL);
    }

    if (len > 13 && !pp->local && ngx_egress_pp2_family(pp, p[13]) != NGX_OK) {
        return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_FAMILY);
    }

    if (len < NGX_EGRESS_PP2_HEAD_LEN) {
        pp->need = NGX_EGRESS_PP2_HEAD_LEN;
        return NGX_AGAIN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_pp2_family(ngx_egress_pp2_t *pp, u_char byte)
{
    static int  families[] = { AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX };
    static int  types[] = { 0, SOCK_STREAM, SOCK_DGRAM };

    if (byte >> 4 > 3 || (byte & 0xf) > 2) {
        return NGX_ERROR;
    }

    pp->family = families[byte >> 4];
    pp->type = types[byte & 0xf];

    return NGX_OK;
}


static ngx_int_t
ngx_egress_pp2_addrs(ngx_egress_pp2_t *pp, u_char *p, size_t len)
{
    size_t  n;

    n = ngx_egress_pp2_addrs_len(pp->family);

    if (len < n) {
        return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_SHORT);
    }

    ngx_egress_pp2_read_addrs(pp, p);

    pp->tlvs.data = p + n;
    pp->tlvs.len = len - n;

    return NGX_OK;
}


static size_t
ngx_egress_pp2_addrs_len(ngx_uint_t family)
{
    switch (family) {

    case AF_INET:
        return 4 + 4 + 2 + 2;

    case AF_INET6:
        return 16 + 16 + 2 + 2;

    case AF_UNIX:
        return 2 * NGX_EGRESS_PP2_UNIX_LEN;

    default:
        return 0;
    }
}


static void
ngx_egress_pp2_read_addrs(ngx_egress_pp2_t *pp, u_char *p)
{
    switch (pp->family) {

    case AF_INET:
        pp->src.sockaddr_in.sin_family = AF_INET;
        pp->dst.sockaddr_in.sin_family = AF_INET;
        ngx_memcpy(&pp->src.sockaddr_in.sin_addr, p, 4);
        ngx_memcpy(&pp->dst.sockaddr_in.sin_addr, p + 4, 4);
        ngx_memcpy(&pp->src.sockaddr_in.sin_port, p + 8, 2);
        ngx_memcpy(&pp->dst.sockaddr_in.sin_port, p + 10, 2);
        break;

    case AF_INET6:
        pp->src.sockaddr_in6.sin6_family = AF_INET6;
        pp->dst.sockaddr_in6.sin6_family = AF_INET6;
        ngx_memcpy(&pp->src.sockaddr_in6.sin6_addr, p, 16);
        ngx_memcpy(&pp->dst.sockaddr_in6.sin6_addr, p + 16, 16);
        ngx_memcpy(&pp->src.sockaddr_in6.sin6_port, p + 32, 2);
        ngx_memcpy(&pp->dst.sockaddr_in6.sin6_port, p + 34, 2);
        break;

    case AF_UNIX:
        pp->src.sockaddr_un.sun_family = AF_UNIX;
        pp->dst.sockaddr_un.sun_family = AF_UNIX;
        ngx_memcpy(pp->src.sockaddr_un.sun_path, p,
                   NGX_EGRESS_PP2_PATH_LEN);
        ngx_memcpy(pp->dst.sockaddr_un.sun_path, p + NGX_EGRESS_PP2_UNIX_LEN,
                   NGX_EGRESS_PP2_PATH_LEN);
        break;
    }
}


static u_char *
ngx_egress_pp2_write_addrs(u_char *p, ngx_egress_pp2_t *pp)
{
    switch (pp->family) {

    case AF_INET:
        p = ngx_cpymem(p, &pp->src.sockaddr_in.sin_addr, 4);
        p = ngx_cpymem(p, &pp->dst.sockaddr_in.sin_addr, 4);
        p = ngx_cpymem(p, &pp->src.sockaddr_in.sin_port, 2);
        return ngx_cpymem(p, &pp->dst.sockaddr_in.sin_port, 2);

    case AF_INET6:
        p = ngx_cpymem(p, &pp->src.sockaddr_in6.sin6_addr, 16);
        p = ngx_cpymem(p, &pp->dst.sockaddr_in6.sin6_addr, 16);
        p = ngx_cpymem(p, &pp->src.sockaddr_in6.sin6_port, 2);
        return ngx_cpymem(p, &pp->dst.sockaddr_in6.sin6_port, 2);

    case AF_UNIX:
        ngx_memzero(p, 2 * NGX_EGRESS_PP2_UNIX_LEN);
        ngx_memcpy(p, pp->src.sockaddr_un.sun_path, NGX_EGRESS_PP2_PATH_LEN);
        ngx_memcpy(p + NGX_EGRESS_PP2_UNIX_LEN, pp->dst.sockaddr_un.sun_path,
                   NGX_EGRESS_PP2_PATH_LEN);
        return p + 2 * NGX_EGRESS_PP2_UNIX_LEN;

    default:
        return p;
    }
}


/* p is the whole header */

static ngx_int_t
ngx_egress_pp2_check_tlvs(ngx_egress_pp2_t *pp, u_char *p)
{
    ngx_int_t             rc;
    ngx_str_t             rest, crc;
    ngx_egress_pp2_tlv_t  tlv;

    rest = pp->tlvs;

    do {
        rc = ngx_egress_pp2_next(&rest, &tlv);
    } while (rc == NGX_OK);

    if (rc == NGX_ERROR) {
        return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_BAD_TLV);
    }

    rc = ngx_egress_pp2_find(&pp->tlvs, NGX_EGRESS_PP2_CRC32C, &crc);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR || crc.len != NGX_EGRESS_PP2_CRC_LEN
        || ngx_egress_get32(crc.data)
           != ngx_egress_pp2_crc(p, pp->size, crc.data))
    {
        return ngx_egress_pp2_failed(pp, NGX_EGRESS_PP2_BAD_CRC);
    }

    return NGX_OK;
}


ngx_int_t
ngx_egress_pp2_local_tlvs(ngx_egress_pp2_t *pp, u_char *p)
{
    if (pp->version != 2 || p[13] != 0) {
        return NGX_ERROR;
    }

    pp->tlvs.data = p + NGX_EGRESS_PP2_HEAD_LEN;
    pp->tlvs.len = pp->size - NGX_EGRESS_PP2_HEAD_LEN;

    return ngx_egress_pp2_check_tlvs(pp, p);
}


/* of the header with zeros in place of the checksum itself */

static uint32_t
ngx_egress_pp2_crc(u_char *p, size_t size, u_char *crc)
{
    uint32_t       n;
    static u_char  zeros[NGX_EGRESS_PP2_CRC_LEN];

    n = ngx_egress_crc32c(0, p, crc - p);
    n = ngx_egress_crc32c(n, zeros, NGX_EGRESS_PP2_CRC_LEN);
    crc += NGX_EGRESS_PP2_CRC_LEN;

    return ngx_egress_crc32c(n, crc, p + size - crc);
}


static ngx_int_t
ngx_egress_pp2_failed(ngx_egress_pp2_t *pp, ngx_uint_t error)
{
    pp->error = (u_char) error;
    ngx_str_null(&pp->tlvs);

    return NGX_ERROR;
}


ngx_int_t
ngx_egress_pp2_begin(ngx_egress_pp2_writer_t *w, u_char *buf, size_t size,
    ngx_egress_pp2_t *pp)
{
    u_char            *p, family;
    ngx_egress_pp2_t   addrs;

    addrs = *pp;

    if (addrs.local) {
        addrs.family = AF_UNSPEC;
        addrs.type = 0;
    }

    if (size < NGX_EGRESS_PP2_HEAD_LEN
               + ngx_egress_pp2_addrs_len(addrs.family))
    {
        return NGX_ERROR;
    }

    family = (addrs.family == AF_INET) ? 0x10
             : (addrs.family == AF_INET6) ? 0x20
             : (addrs.family == AF_UNIX) ? 0x30 : 0;

    family |= (addrs.type == SOCK_STREAM) ? 1
              : (addrs.type == SOCK_DGRAM) ? 2 : 0;

    p = ngx_cpymem(buf, ngx_egress_pp2_signature,
                   sizeof(ngx_egress_pp2_signature));

    *p++ = addrs.local ? NGX_EGRESS_PP2_LOCAL : NGX_EGRESS_PP2_PROXY;
    *p++ = family;
    *p++ = 0;
    *p++ = 0;

    w->start = buf;
    w->pos = ngx_egress_pp2_write_addrs(p, &addrs);
    w->end = buf + size;
    w->crc = NULL;

    return NGX_OK;
}


u_char *
ngx_egress_pp2_end(ngx_egress_pp2_writer_t *w)
{
    size_t    size;
    uint32_t  crc;

    size = w->pos - w->start;

    (void) ngx_egress_put16(&w->start[14], size - NGX_EGRESS_PP2_HEAD_LEN);

    if (w->crc != NULL) {
        crc = ngx_egress_pp2_crc(w->start, size, w->crc);
        (void) ngx_egress_put32(w->crc, crc);
    }

    return w->pos;
}


char *
ngx_egress_pp2_strerror(ngx_uint_t error)
{
    return (error < NGX_EGRESS_PP2_ERRORS) ? ngx_egress_pp2_errors[error]
                                           : "unknown error";
}
