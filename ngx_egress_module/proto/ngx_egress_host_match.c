
/*
 * Copyright (C) ngx_egress authors
 *
 * Exact and child match of normalized names.  Keeps no set of rules.
 */


#include "ngx_egress_host_match.h"


ngx_uint_t
ngx_egress_host_match_exact(ngx_str_t *host, ngx_str_t *rule)
{
    return host->len == rule->len
           && ngx_memcmp(host->data, rule->data, rule->len) == 0;
}


ngx_uint_t
ngx_egress_host_match_child(ngx_str_t *host, ngx_str_t *domain)
{
    size_t  skip;

    if (domain->len == 0 || host->len < domain->len) {
        return 0;
    }

    skip = host->len - domain->len;

    if (skip && host->data[skip - 1] != '.') {
        return 0;
    }

    return ngx_memcmp(host->data + skip, domain->data, domain->len) == 0;
}


ngx_int_t
ngx_egress_host_parent(ngx_str_t *host)
{
    size_t   label;
    u_char  *dot;

    dot = host->len ? memchr(host->data, '.', host->len) : NULL;

    if (dot == NULL) {
        return NGX_DECLINED;
    }

    label = dot + 1 - host->data;

    host->data += label;
    host->len -= label;

    return NGX_OK;
}
