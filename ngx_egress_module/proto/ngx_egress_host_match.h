
/*
 * Copyright (C) ngx_egress authors
 *
 * Names against rules, by label.  Both sides have been through
 * ngx_egress_addr_host(): lower case, no last dot.  That also refuses every
 * glob and every numeric name, so that no rule here matches an address.
 */


#ifndef _NGX_EGRESS_HOST_MATCH_H_INCLUDED_
#define _NGX_EGRESS_HOST_MATCH_H_INCLUDED_


#include "ngx_egress_proto.h"


ngx_uint_t ngx_egress_host_match_exact(ngx_str_t *host, ngx_str_t *rule);

/*
 * 1 if host is the domain or below it: "example.net" matches "example.net"
 * and "a.b.example.net", not "badexample.net".
 */
ngx_uint_t ngx_egress_host_match_child(ngx_str_t *host, ngx_str_t *domain);

/*
 * Takes the first label off *host; NGX_DECLINED: there is only one left.
 * Walking a name up through a hash of domains finds the longest match first.
 */
ngx_int_t ngx_egress_host_parent(ngx_str_t *host) ngx_egress_must_check;


#endif /* _NGX_EGRESS_HOST_MATCH_H_INCLUDED_ */
