
/*
 * Copyright (C) ngx_egress authors
 *
 * The names an SNI proxy serves, and where they are redirected to.
 */


#include "ngx_stream_egress_sni_hosts.h"
#include "../ngx_egress_hosts.h"


typedef struct {
    ngx_egress_host_rule_t  host;
    ngx_egress_addr_t       redirect;   /* host len 0, port 0: not set */
} ngx_stream_egress_sni_host_t;


static char *ngx_stream_egress_sni_hosts_rule(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_stream_egress_sni_hosts_redirect(ngx_conf_t *cf,
    ngx_str_t *arg, ngx_egress_addr_t *redirect);


static ngx_command_t  ngx_stream_egress_sni_hosts_commands[] = {

    { ngx_string("exact"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_sni_hosts_rule,
      0,
      0,
      NULL },

    { ngx_string("child"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_sni_hosts_rule,
      0,
      1,
      NULL },

      ngx_null_command
};


ngx_uint_t
ngx_stream_egress_sni_hosts_apply(ngx_stream_egress_sni_hosts_t *hosts,
    ngx_egress_addr_t *target, ngx_log_t *log)
{
    in_port_t                      port;
    ngx_stream_egress_sni_host_t  *host;

    host = ngx_egress_host_find(&hosts->rules, &target->host);

    if (host == NULL) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "server name \"%V\" is not served", &target->host);
        return NGX_EGRESS_FORBIDDEN;
    }

    port = host->redirect.port ? host->redirect.port : target->port;

    if (host->redirect.host.len) {
        *target = host->redirect;
    }

    target->port = port;

    return NGX_EGRESS_NONE;
}


char *
ngx_stream_egress_sni_hosts_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_egress_block_t              block;
    ngx_stream_egress_sni_hosts_t  *hosts, **hostsp;

    hostsp = (ngx_stream_egress_sni_hosts_t **) (p + cmd->offset);

    if (*hostsp) {
        return ngx_egress_is_duplicate;
    }

    hosts = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_sni_hosts_t));
    if (hosts == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&hosts->rules, cf->pool, 4,
                       sizeof(ngx_stream_egress_sni_host_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *hostsp = hosts;

    block.commands = ngx_stream_egress_sni_hosts_commands;
    block.conf = hosts;

    return ngx_egress_conf_block(cf, &block, 1);
}


static char *
ngx_stream_egress_sni_hosts_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_egress_sni_hosts_t *hosts = conf;

    ngx_int_t                      rc;
    ngx_str_t                     *value;
    ngx_uint_t                     i, n;
    ngx_egress_addr_t              addr, redirect;
    ngx_stream_egress_sni_host_t  *host;

    value = cf->args->elts;
    ngx_memzero(&redirect, sizeof(ngx_egress_addr_t));

    for (n = cf->args->nelts; n > 1; n--) {
        rc = ngx_stream_egress_sni_hosts_redirect(cf, &value[n - 1],
                                                  &redirect);
        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DECLINED) {
            break;
        }
    }

    if (n == 1) {
        return "needs a name";
    }

    for (i = 1; i < n; i++) {

        host = ngx_egress_host_add(cf, &hosts->rules, &value[i],
                                   cmd->offset != 0, &addr);
        if (host == NULL) {
            return NGX_CONF_ERROR;
        }

        host->redirect = redirect;
    }

    return NGX_CONF_OK;
}


/* NGX_DECLINED: it is a name */

static ngx_int_t
ngx_stream_egress_sni_hosts_redirect(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_egress_addr_t *redirect)
{
    in_port_t  port;
    ngx_str_t  value;

    if (ngx_egress_conf_param(arg, "redirect_host=", &value)) {
        port = redirect->port;

        if (ngx_egress_conf_host(cf, &value, redirect) != NGX_OK) {
            return NGX_ERROR;
        }

        redirect->port = port;

        return NGX_OK;
    }

    if (!ngx_egress_conf_param(arg, "redirect_port=", &value)) {
        return NGX_DECLINED;
    }

    redirect->port = ngx_egress_addr_port(value.data, value.len);

    if (redirect->port == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid port \"%V\"", arg);
        return NGX_ERROR;
    }

    return NGX_OK;
}
