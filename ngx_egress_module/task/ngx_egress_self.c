
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
static ngx_uint_t ngx_egress_self_bind(struct sockaddr *sa, socklen_t socklen);
static ngx_uint_t ngx_egress_self_bind_says_all(ngx_uint_t family);
static ngx_uint_t ngx_egress_self_route(struct sockaddr *sa,
    socklen_t socklen);
static ngx_socket_t ngx_egress_self_socket(ngx_uint_t family);
static void ngx_egress_self_close(ngx_socket_t s);


/*
 * A worker that quits closes its listening sockets and empties their list,
 * while other workers serve them.
 */

static ngx_array_t  ngx_egress_self_listening;


void
ngx_egress_self_init_process(ngx_cycle_t *cycle)
{
    ngx_egress_self_listening = cycle->listening;
}


ngx_uint_t
ngx_egress_is_self(struct sockaddr *sa)
{
    ngx_uint_t           i;
    ngx_array_t         *listening;
    ngx_listening_t     *ls;
    struct sockaddr_in   sin;

    sa = ngx_egress_self_unmap(sa, &sin);

    listening = (ngx_array_t *) &ngx_cycle->listening;

    if (listening->nelts == 0) {
        listening = &ngx_egress_self_listening;
    }

    ls = listening->elts;

    for (i = 0; i < listening->nelts; i++) {
        if (ngx_egress_self_match(&ls[i], sa)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_egress_self_match(ngx_listening_t *ls, struct sockaddr *sa)
{
    socklen_t            socklen;
    struct sockaddr     *own;
    struct sockaddr_in   sin;

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

    /* "ipv6only=off" and an address that is IPv4 inside */

    own = ngx_egress_self_unmap(ls->sockaddr, &sin);
    socklen = (own == ls->sockaddr) ? ls->socklen : sizeof(struct sockaddr_in);

    return ngx_cmp_sockaddr(own, socklen, sa, socklen, 1) == NGX_OK;
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
    socklen_t  socklen;

    socklen = sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)
    if (sa->sa_family == AF_INET6) {
        socklen = sizeof(struct sockaddr_in6);
    }
#endif

    if (!ngx_egress_self_bind(sa, socklen)) {
        return 0;
    }

    return ngx_egress_self_bind_says_all(sa->sa_family)
           || ngx_egress_self_route(sa, socklen);
}


static ngx_uint_t
ngx_egress_self_bind(struct sockaddr *sa, socklen_t socklen)
{
    ngx_uint_t      local;
    ngx_socket_t    s;
    ngx_sockaddr_t  addr;

    ngx_memcpy(&addr, sa, socklen);
    ngx_inet_set_port(&addr.sockaddr, 0);

    s = ngx_egress_self_socket(sa->sa_family);

    if (s == (ngx_socket_t) -1) {
        return 1;                          /* refuse rather than loop */
    }

    local = bind(s, &addr.sockaddr, socklen) == 0;

    ngx_egress_self_close(s);

    return local;
}


/* machines that share addresses (VRRP) let sockets be bound to any */

static ngx_uint_t
ngx_egress_self_bind_says_all(ngx_uint_t family)
{
    char      *name;
    u_char     buf[1];
    ssize_t    n;
    ngx_fd_t   fd;

    name = (family == AF_INET) ? "/proc/sys/net/ipv4/ip_nonlocal_bind"
                               : "/proc/sys/net/ipv6/ip_nonlocal_bind";

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 1;
    }

    n = ngx_read_fd(fd, buf, 1);

    (void) ngx_close_file(fd);

    return n != 1 || buf[0] == '0';
}


/* what is sent to an address of this machine has it as its source, too */

static ngx_uint_t
ngx_egress_self_route(struct sockaddr *sa, socklen_t socklen)
{
    socklen_t            len;
    ngx_uint_t           local;
    ngx_socket_t         s;
    ngx_sockaddr_t       source;
    struct sockaddr_in  *sin;

    sin = (struct sockaddr_in *) sa;

    if (sa->sa_family == AF_INET && ntohl(sin->sin_addr.s_addr) >> 24 == 127) {
        return 1;
    }

    s = ngx_egress_self_socket(sa->sa_family);

    if (s == (ngx_socket_t) -1) {
        return 1;
    }

    len = sizeof(ngx_sockaddr_t);

    local = connect(s, sa, socklen) == 0
            && getsockname(s, &source.sockaddr, &len) == 0
            && ngx_cmp_sockaddr(&source.sockaddr, len, sa, socklen, 0)
               == NGX_OK;

    ngx_egress_self_close(s);

    return local;
}


static ngx_socket_t
ngx_egress_self_socket(ngx_uint_t family)
{
    ngx_socket_t  s;

    s = ngx_socket(family, SOCK_DGRAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_socket_errno,
                      ngx_socket_n " failed");
    }

    return s;
}


static void
ngx_egress_self_close(ngx_socket_t s)
{
    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }
}
