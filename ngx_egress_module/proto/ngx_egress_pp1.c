
/*
 * Copyright (C) ngx_egress authors
 *
 * PROXY protocol version 1: one line of text, read as strictly as its
 * specification writes it.
 */


#include "ngx_egress_pp2.h"
#include "ngx_egress_addr.h"


static ngx_int_t ngx_egress_pp1_line(ngx_egress_pp2_t *pp, u_char *p,
    u_char *last);
static ngx_int_t ngx_egress_pp1_field(ngx_str_t *field, u_char **pos,
    u_char *last);
static ngx_int_t ngx_egress_pp1_addr(ngx_sockaddr_t *sa, ngx_uint_t family,
    ngx_str_t *ip, ngx_str_t *port);
static ngx_int_t ngx_egress_pp1_failed(ngx_egress_pp2_t *pp,
    ngx_uint_t error);


ngx_int_t
ngx_egress_pp1_read(ngx_egress_pp2_t *pp, u_char *p, size_t len)
{
    u_char         *lf;
    size_t          n;
    static u_char   signature[] = "PROXY ";

    ngx_memzero(pp, sizeof(ngx_egress_pp2_t));
    pp->version = 1;

    n = ngx_min(len, sizeof(signature) - 1);

    if (ngx_memcmp(p, signature, n) != 0) {
        return ngx_egress_pp1_failed(pp, NGX_EGRESS_PP2_NO_HEADER);
    }

    n = ngx_min(len, NGX_EGRESS_PP1_LEN);
    lf = n ? memchr(p, LF, n) : NULL;

    if (lf == NULL) {

        if (n == NGX_EGRESS_PP1_LEN) {
            return ngx_egress_pp1_failed(pp, NGX_EGRESS_PP2_TOO_LONG);
        }

        pp->need = len + 1;

        return NGX_AGAIN;
    }

    if (lf[-1] != CR
        || ngx_egress_pp1_line(pp, p + sizeof(signature) - 1, lf - 1)
           != NGX_OK)
    {
        return ngx_egress_pp1_failed(pp, NGX_EGRESS_PP2_BAD_V1);
    }

    pp->size = lf + 1 - p;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_pp1_line(ngx_egress_pp2_t *pp, u_char *p, u_char *last)
{
    ngx_str_t  proto, src, dst, sport, dport;

    if (last - p >= 7 && ngx_memcmp(p, "UNKNOWN", 7) == 0
        && (last - p == 7 || p[7] == ' '))
    {
        /* whatever else the line says is to be ignored */
        pp->local = 1;
        return NGX_OK;
    }

    if (ngx_egress_pp1_field(&proto, &p, last) != NGX_OK
        || ngx_egress_pp1_field(&src, &p, last) != NGX_OK
        || ngx_egress_pp1_field(&dst, &p, last) != NGX_OK
        || ngx_egress_pp1_field(&sport, &p, last) != NGX_OK)
    {
        return NGX_ERROR;
    }

    dport.data = p;
    dport.len = last - p;

    if (proto.len != 4 || ngx_memcmp(proto.data, "TCP", 3) != 0
        || (proto.data[3] != '4' && proto.data[3] != '6'))
    {
        return NGX_ERROR;
    }

    pp->family = (proto.data[3] == '4') ? AF_INET : AF_INET6;
    pp->type = SOCK_STREAM;

    if (ngx_egress_pp1_addr(&pp->src, pp->family, &src, &sport) != NGX_OK
        || ngx_egress_pp1_addr(&pp->dst, pp->family, &dst, &dport) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* up to a space, which is consumed */

static ngx_int_t
ngx_egress_pp1_field(ngx_str_t *field, u_char **pos, u_char *last)
{
    u_char  *space;

    space = (*pos == last) ? NULL : memchr(*pos, ' ', last - *pos);

    if (space == NULL) {
        return NGX_ERROR;
    }

    field->data = *pos;
    field->len = space - *pos;
    *pos = space + 1;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_pp1_addr(ngx_sockaddr_t *sa, ngx_uint_t family, ngx_str_t *ip,
    ngx_str_t *port)
{
    u_char             host[NGX_EGRESS_PP1_LEN];
    ngx_egress_addr_t  a;

    /* no brackets and no last dot here */

    if (ip->len == 0 || ip->data[0] == '[' || ip->data[ip->len - 1] == '.'
        || ngx_egress_addr_host(&a, host, ip->data, ip->len) != NGX_OK
        || a.family != family)
    {
        return NGX_ERROR;
    }

    a.port = ngx_egress_addr_port(port->data, port->len);

    if (a.port == 0 && (port->len != 1 || port->data[0] != '0')) {
        return NGX_ERROR;
    }

    (void) ngx_egress_addr_sockaddr(&a, &sa->sockaddr);

    return NGX_OK;
}


static ngx_int_t
ngx_egress_pp1_failed(ngx_egress_pp2_t *pp, ngx_uint_t error)
{
    ngx_memzero(pp, sizeof(ngx_egress_pp2_t));

    pp->version = 1;
    pp->error = (u_char) error;

    return NGX_ERROR;
}


u_char *
ngx_egress_pp1_write(u_char *buf, ngx_egress_pp2_t *pp)
{
    u_char             *p, text[NGX_EGRESS_IP_LEN];
    ngx_egress_addr_t   src, dst;

    if (pp->local || pp->type != SOCK_STREAM
        || ngx_egress_addr_from_sockaddr(&src, text, &pp->src.sockaddr)
           != NGX_OK
        || ngx_egress_addr_from_sockaddr(&dst, text, &pp->dst.sockaddr)
           != NGX_OK
        || src.family != dst.family || src.family != pp->family)
    {
        return ngx_cpymem(buf, "PROXY UNKNOWN" CRLF,
                          sizeof("PROXY UNKNOWN" CRLF) - 1);
    }

    p = ngx_cpymem(buf, "PROXY TCP", sizeof("PROXY TCP") - 1);
    *p++ = (src.family == AF_INET) ? '4' : '6';
    *p++ = ' ';
    p = ngx_egress_addr_print_ip(p, src.family, src.ip.bytes);
    *p++ = ' ';
    p = ngx_egress_addr_print_ip(p, dst.family, dst.ip.bytes);
    *p++ = ' ';
    p = ngx_egress_addr_print_port(p, src.port);
    *p++ = ' ';
    p = ngx_egress_addr_print_port(p, dst.port);

    return ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);
}
