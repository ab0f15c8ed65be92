
/*
 * Copyright (C) ngx_egress authors
 *
 * resolve_redirection { }: names that are resolved as another name or as
 * given addresses, below the policy: an address that comes from here is
 * judged as any other.
 */


#include "ngx_egress_filter.h"
#include "../ngx_egress_hosts.h"


/* the configuration says so: good until it changes */

#define NGX_EGRESS_REDIRECTION_TTL  3600


typedef struct {
    ngx_egress_host_rule_t   host;   /* child: "parent" */
    ngx_str_t                name;   /* to this name; len 0: to addresses */
    ngx_egress_redirected_t  to;
} ngx_egress_redirection_rule_t;


struct ngx_egress_redirection_s {
    ngx_array_t          rules;      /* of ngx_egress_redirection_rule_t */
};


static ngx_int_t ngx_egress_redirection_parent(
    ngx_egress_redirection_rule_t *rule, ngx_pool_t *pool,
    ngx_egress_addr_t *addr);
static char *ngx_egress_redirection_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_redirection_to(ngx_conf_t *cf,
    ngx_egress_redirection_rule_t *rule, ngx_str_t *value);


static ngx_command_t  ngx_egress_redirection_commands[] = {

    { ngx_string("exact"),
      NGX_EGRESS_CONF|NGX_CONF_2MORE,
      ngx_egress_redirection_rule,
      0,
      0,
      NULL },

    { ngx_string("parent"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE3,
      ngx_egress_redirection_rule,
      0,
      1,
      NULL },

      ngx_null_command
};


ngx_int_t
ngx_egress_redirect(ngx_egress_redirection_t *rd, ngx_pool_t *pool,
    ngx_egress_addr_t *addr, ngx_egress_redirected_t **to)
{
    ngx_egress_redirection_rule_t  *rule;

    if (rd == NULL || addr->family != AF_UNSPEC) {
        return NGX_DECLINED;
    }

    rule = ngx_egress_host_find(&rd->rules, &addr->host);

    if (rule == NULL) {
        return NGX_DECLINED;
    }

    if (rule->host.child) {
        return ngx_egress_redirection_parent(rule, pool, addr);
    }

    if (rule->name.len) {
        addr->host = rule->name;
        return NGX_OK;
    }

    *to = &rule->to;

    return NGX_DONE;
}


ngx_int_t
ngx_egress_resolve_to(ngx_egress_resolve_t *rs, ngx_egress_redirected_t *to)
{
    ngx_array_t  *addrs;

    if (to == NULL) {
        return ngx_egress_resolve(rs);
    }

    addrs = (rs->family == AF_INET) ? &to->ipv4 : &to->ipv6;

    rs->addrs = addrs->elts;
    rs->naddrs = addrs->nelts;
    rs->ttl = NGX_EGRESS_REDIRECTION_TTL;
    rs->reason = addrs->nelts ? NGX_EGRESS_NONE : NGX_EGRESS_DNS_NO_ADDRESS;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_redirection_parent(ngx_egress_redirection_rule_t *rule,
    ngx_pool_t *pool, ngx_egress_addr_t *addr)
{
    size_t   left;
    u_char  *p;

    left = addr->host.len - rule->host.name.len;

    if (left + rule->name.len > NGX_EGRESS_HOST_LEN) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, left + rule->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, addr->host.data, left);
    ngx_memcpy(p + left, rule->name.data, rule->name.len);

    addr->host.len = left + rule->name.len;
    addr->host.data = p;

    return NGX_OK;
}


char *
ngx_egress_redirection_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_egress_block_t         block;
    ngx_egress_redirection_t  *rd, **rdp;

    rdp = (ngx_egress_redirection_t **) (p + cmd->offset);

    if (*rdp) {
        return ngx_egress_is_duplicate;
    }

    rd = ngx_pcalloc(cf->pool, sizeof(ngx_egress_redirection_t));
    if (rd == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&rd->rules, cf->pool, 4,
                       sizeof(ngx_egress_redirection_rule_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *rdp = rd;

    block.commands = ngx_egress_redirection_commands;
    block.conf = rd;

    return ngx_egress_conf_block(cf, &block, 1);
}


static char *
ngx_egress_redirection_rule(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_redirection_t *rd = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_egress_addr_t               addr;
    ngx_egress_redirection_rule_t  *rule;

    value = cf->args->elts;

    if (cf->args->nelts < 4 || ngx_strcmp(value[2].data, "to") != 0) {
        return "must be of the form \"NAME to VALUE\"";
    }

    rule = ngx_egress_host_add(cf, &rd->rules, &value[1], cmd->offset != 0,
                               &addr);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    if (addr.family != AF_UNSPEC) {
        return "is for names, not for addresses";
    }

    if (ngx_array_init(&rule->to.ipv4, cf->pool, 2, sizeof(ngx_egress_ip_t))
            != NGX_OK
        || ngx_array_init(&rule->to.ipv6, cf->pool, 2, sizeof(ngx_egress_ip_t))
            != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_egress_redirection_to(cf, rule, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_redirection_to(ngx_conf_t *cf, ngx_egress_redirection_rule_t *rule,
    ngx_str_t *value)
{
    ngx_egress_ip_t    *ip;
    ngx_egress_addr_t   to;

    if (ngx_egress_conf_host(cf, value, &to) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (rule->host.child && to.family != AF_UNSPEC) {
        return "must lead to a domain";
    }

    if (rule->name.len
        || (to.family == AF_UNSPEC
            && rule->to.ipv4.nelts + rule->to.ipv6.nelts))
    {
        return "takes one name or several addresses";
    }

    if (to.family == AF_UNSPEC) {
        rule->name = to.host;
        return NGX_CONF_OK;
    }

    ip = ngx_array_push(to.family == AF_INET ? &rule->to.ipv4
                                             : &rule->to.ipv6);
    if (ip == NULL) {
        return NGX_CONF_ERROR;
    }

    ip->family = to.family;
    ngx_memcpy(ip->bytes, to.ip.bytes, 16);

    return NGX_CONF_OK;
}
