/*
 * Copyright (C) ngx_egress authors
 *
 * Rules that are found by a host name: an exact name goes before all domains,
 * the longest domain before others.  And hosts as configuration files have
 * them.
 */

#ifndef _NGX_EGRESS_HOSTS_H_INCLUDED_
#define _NGX_EGRESS_HOSTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "proto/ngx_egress_addr.h"


/* A rule is a structure that begins with this. */
typedef struct {
    ngx_str_t            name;       /* normalized */
    ngx_uint_t           child;      /* a domain: itself and below it */
} ngx_egress_host_rule_t;


/*
 * Adds a rule, zeroed but for its host; *addr is what that was parsed to.
 * NULL: logged, it is no host or there is one for it already.
 */
void *ngx_egress_host_add(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_str_t *value, ngx_uint_t child, ngx_egress_addr_t *addr);

/* The rule of an array of such structures that is for that host, or NULL. */
void *ngx_egress_host_find(ngx_array_t *rules, ngx_str_t *host);

/*
 * Parse an argument into *addr, whose host is in cf->pool.  NGX_ERROR: logged.
 * flags are those of ngx_egress_addr_parse().
 */
ngx_int_t ngx_egress_conf_host(ngx_conf_t *cf, ngx_str_t *value,
    ngx_egress_addr_t *addr);
ngx_int_t ngx_egress_conf_addr(ngx_conf_t *cf, ngx_str_t *value,
    ngx_egress_addr_t *addr, ngx_uint_t flags);


#endif /* _NGX_EGRESS_HOSTS_H_INCLUDED_ */
