
/*
 * Copyright (C) ngx_egress authors
 *
 * Looks rules up by host name; what they say is for their owners to know.
 */


#include "ngx_egress_hosts.h"
#include "proto/ngx_egress_host_match.h"


void *
ngx_egress_host_find(ngx_array_t *rules, ngx_str_t *host)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_egress_host_rule_t  *rule, *found;

    found = NULL;
    p = rules->elts;

    for (i = 0; i < rules->nelts; i++, p += rules->size) {

        rule = (ngx_egress_host_rule_t *) p;

        if (!rule->child) {
            if (ngx_egress_host_match_exact(host, &rule->name)) {
                return rule;
            }

            continue;
        }

        if (ngx_egress_host_match_child(host, &rule->name)
            && (found == NULL || found->name.len < rule->name.len))
        {
            found = rule;
        }
    }

    return found;
}


void *
ngx_egress_host_add(ngx_conf_t *cf, ngx_array_t *rules, ngx_str_t *value,
    ngx_uint_t child, ngx_egress_addr_t *addr)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_egress_host_rule_t  *rule;

    if (ngx_egress_conf_host(cf, value, addr) != NGX_OK) {
        return NULL;
    }

    p = rules->elts;

    for (i = 0; i < rules->nelts; i++, p += rules->size) {

        rule = (ngx_egress_host_rule_t *) p;

        if (rule->child == child
            && ngx_egress_host_match_exact(&addr->host, &rule->name))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate host \"%V\"", value);
            return NULL;
        }
    }

    rule = ngx_array_push(rules);
    if (rule == NULL) {
        return NULL;
    }

    ngx_memzero(rule, rules->size);

    rule->name = addr->host;
    rule->child = child;

    return rule;
}


ngx_int_t
ngx_egress_conf_host(ngx_conf_t *cf, ngx_str_t *value,
    ngx_egress_addr_t *addr)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, ngx_max(value->len, NGX_EGRESS_IP_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_addr_host(addr, p, value->data, value->len) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid host \"%V\": %s",
                           value, ngx_egress_addr_strerror(addr->error));
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_egress_conf_addr(ngx_conf_t *cf, ngx_str_t *value,
    ngx_egress_addr_t *addr, ngx_uint_t flags)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, ngx_max(value->len, NGX_EGRESS_IP_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_addr_parse(addr, p, value->data, value->len, flags)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid address \"%V\": %s",
                           value, ngx_egress_addr_strerror(addr->error));
        return NGX_ERROR;
    }

    return NGX_OK;
}
