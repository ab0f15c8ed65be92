
/*
 * Copyright (C) ngx_egress authors
 *
 * Would a connection to this address come back to us?  Compares with every
 * listening socket of the cycle, inherited ones included.
 */


#include "ngx_egress_filter.h"


static ngx_uint_t ngx_egress_self_match(ngx_listening_t *ls,
    struct sockaddr *sa);
static struct sockaddr *ngx_egress_self_unmap(struct sockaddr *sa,
    struct sockaddr_in *sin);
static ngx_uint_t ngx_egress_self_local(struct sockaddr *sa);


ngx_uint_t
ngx_egress_is_self(struct sockaddr *sa)
{
    ngx_uint_t           i;
    ngx_listening_t     *ls;
    struct sockaddr_in   sin;

    sa = ngx_egress_self_unmap(sa, &sin);

    ls = ngx_cycle->listening.elts;

    for (i = 0; i < ngx_cycle->listening.nelts; i++) {
        if (ngx_egress_self_match(&ls[i], sa)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_egress_self_match(ngx_listening_t *ls, struct sockaddr *sa)
{
    socklen_t  socklen;

    if (sa->sa_family == AF_UNIX) {
        socklen = sizeof(struct sockaddr_un);

        return ls->sockaddr->sa_family == AF_UNIX
               && ngx_cmp_sockaddr(ls->sockaddr, ls->socklen, sa, socklen, 1)
                  == NGX_OK;
    }

    if (ls->sockaddr->sa_family == AF_UNIX
        || ngx_inet_get_port(ls->sockaddr) != ngx_inet_get_port(sa))
    {
        return 0;
    }

    /* a connection to the unspecified address goes to the loopback one */

    if (ngx_inet_wildcard(sa)) {
        return 1;
    }

    if (ngx_inet_wildcard(ls->sockaddr)) {
        return ngx_egress_self_local(sa);
    }

    return ngx_cmp_sockaddr(ls->sockaddr, ls->socklen, sa, ls->socklen, 1)
           == NGX_OK;
}


static struct sockaddr *
ngx_egress_self_unmap(struct sockaddr *sa, struct sockaddr_in *sin)
{
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;

    sin6 = (struct sockaddr_in6 *) sa;

    if (sa->sa_family == AF_INET6
        && IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
    {
        ngx_memzero(sin, sizeof(struct sockaddr_in));

        sin->sin_family = AF_INET;
        sin->sin_port = sin6->sin6_port;
        ngx_memcpy(&sin->sin_addr, sin6->sin6_addr.s6_addr + 12, 4);

        return (struct sockaddr *) sin;
    }
#endif

    return sa;
}


/*
 * The addresses of the interfaces come and go; whether one is ours now, only
 * the kernel knows: a socket can be bound to it, or not.
 */

static ngx_uint_t
ngx_egress_self_local(struct sockaddr *sa)
{
    socklen_t       socklen;
    ngx_uint_t      local;
    ngx_socket_t    s;
    ngx_sockaddr_t  addr;

    socklen = sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)
    if (sa->sa_family == AF_INET6) {
        socklen = sizeof(struct sockaddr_in6);
    }
#endif

    ngx_memcpy(&addr, sa, socklen);
    ngx_inet_set_port(&addr.sockaddr, 0);

    s = ngx_socket(sa->sa_family, SOCK_DGRAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_socket_errno,
                      ngx_socket_n " failed");
        return 1;                          /* refuse rather than loop */
    }

    local = bind(s, &addr.sockaddr, socklen) == 0;

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    return local;
}
