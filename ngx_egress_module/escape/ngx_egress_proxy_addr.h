/*
 * Copyright (C) ngx_egress authors
 *
 * The next proxies of an escaper: proxy_addr, proxy_addr_pick_policy,
 * bind_ipv4, bind_ipv6 and egress_network_filter of the types that have
 * NGX_EGRESS_TAKES_PROXY.  A type sets e->proxy->port in its create(), calls
 * ngx_egress_proxy_addr_select() first in its select(), and then adds to
 * task->hop what it speaks with the proxy.
 *
 * Targets are not resolved here: the next proxy does that.  A target that is
 * a literal address is judged by the escaper's filter all the same; proxies
 * come from the configuration and are not judged, unless the path selection
 * of a user has brought one.
 */

#ifndef _NGX_EGRESS_PROXY_ADDR_H_INCLUDED_
#define _NGX_EGRESS_PROXY_ADDR_H_INCLUDED_


#include "../ngx_egress.h"
#include "../connect/ngx_egress_pick.h"


struct ngx_egress_proxy_addr_s {
    in_port_t              port;       /* the type's default */
    ngx_array_t            addrs;      /* of ngx_egress_addr_t */
    ngx_array_t            nodes;      /* of ngx_egress_pick_node_t, in the
                                          order of addrs */
    ngx_egress_pick_t      pick;
    struct sockaddr       *bind4;      /* or NULL */
    struct sockaddr       *bind6;
    ngx_egress_filter_t   *filter;     /* of literal targets; NULL: the
                                          default one */
};


extern ngx_command_t  ngx_egress_proxy_addr_commands[];

/* Configuration time, by the registry: before and after the block. */
char *ngx_egress_proxy_addr_create(ngx_conf_t *cf, ngx_egress_escaper_t *e);
char *ngx_egress_proxy_addr_init(ngx_conf_t *cf, ngx_egress_escaper_t *e);

/*
 * For select(): makes task->hop to the proxy that was picked.  When it cannot
 * be reached, or breaks off before it has answered for the target, the next
 * one of the choice is tried on the same hop: a negotiate() must not rely on
 * anything it left there.  NGX_ERROR: task->reason is set.
 */
ngx_int_t ngx_egress_proxy_addr_select(ngx_egress_task_t *task);


#endif /* _NGX_EGRESS_PROXY_ADDR_H_INCLUDED_ */
