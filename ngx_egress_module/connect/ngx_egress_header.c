
/*
 * Copyright (C) ngx_egress authors
 *
 * The PROXY header that tells a target or a next proxy who the client is.
 * Headers with TLVs are made by the escapers that have any.
 */


#include "ngx_egress_connector.h"
#include "ngx_egress_header.h"


static void ngx_egress_header_map(ngx_sockaddr_t *sa);


ngx_int_t
ngx_egress_header_make(ngx_egress_hop_t *hop, ngx_str_t *header)
{
    u_char                   *p;
    size_t                    size;
    ngx_egress_pp2_t          pp;
    ngx_egress_pp2_writer_t   w;

    ngx_memzero(&pp, sizeof(ngx_egress_pp2_t));

    ngx_egress_header_addresses(hop->task->client, &pp);

    size = ngx_max(NGX_EGRESS_PP1_LEN,
                   NGX_EGRESS_PP2_HEAD_LEN + NGX_EGRESS_PP2_ADDR_LEN);

    p = ngx_pnalloc(hop->task->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    header->data = p;

    if (hop->proxy_protocol == 1) {
        header->len = ngx_egress_pp1_write(p, &pp) - p;
        return NGX_OK;
    }

    if (ngx_egress_pp2_begin(&w, p, size, &pp) != NGX_OK) {
        return NGX_ERROR;
    }

    header->len = ngx_egress_pp2_end(&w) - p;

    return NGX_OK;
}


/*
 * After realip the client may be of another family than the address it came
 * to; one header has room for one family only.  c->local_sockaddr may be that
 * of the server which egress_intelli_proxy passed the connection to.
 */

void
ngx_egress_header_addresses(ngx_connection_t *c, ngx_egress_pp2_t *pp)
{
    socklen_t   len;
    ngx_uint_t  src, dst;

    len = sizeof(ngx_sockaddr_t);

    if (c == NULL || getsockname(c->fd, &pp->dst.sockaddr, &len) == -1) {
        pp->local = 1;
        return;
    }

    src = c->sockaddr->sa_family;
    dst = pp->dst.sockaddr.sa_family;

    if ((src != AF_INET && src != AF_INET6)
        || (dst != AF_INET && dst != AF_INET6))
    {
        pp->local = 1;
        return;
    }

    ngx_memcpy(&pp->src, c->sockaddr, c->socklen);

    pp->family = src;
    pp->type = SOCK_STREAM;

    if (src != dst) {
        pp->family = AF_INET6;
        ngx_egress_header_map((src == AF_INET) ? &pp->src : &pp->dst);
    }
}


/* An IPv4 address becomes ::ffff:a.b.c.d. */

static void
ngx_egress_header_map(ngx_sockaddr_t *sa)
{
    in_port_t        port;
    struct in_addr   addr;
    struct in6_addr *in6;

    addr = sa->sockaddr_in.sin_addr;
    port = sa->sockaddr_in.sin_port;

    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

    sa->sockaddr_in6.sin6_family = AF_INET6;
    sa->sockaddr_in6.sin6_port = port;

    in6 = &sa->sockaddr_in6.sin6_addr;

    in6->s6_addr[10] = 0xff;
    in6->s6_addr[11] = 0xff;
    ngx_memcpy(&in6->s6_addr[12], &addr, sizeof(struct in_addr));
}
