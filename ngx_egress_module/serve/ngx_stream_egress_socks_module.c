
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_socks_proxy: SOCKS4, 4a and 5 on one port.  The directives; what is
 * said to clients is in ngx_stream_egress_socks.c.
 */


#include "ngx_stream_egress_socks.h"


static void *ngx_stream_egress_socks_create_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_socks_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_egress_socks_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_stream_egress_socks_commands[] = {

    { ngx_string("egress_socks_proxy"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_egress_socks_proxy,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_socks4"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_socks_conf_t, socks4),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_egress_socks_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_egress_socks_create_conf,   /* create server configuration */
    ngx_stream_egress_socks_merge_conf     /* merge server configuration */
};


ngx_module_t  ngx_stream_egress_socks_module = {
    NGX_MODULE_V1,
    &ngx_stream_egress_socks_module_ctx,   /* module context */
    ngx_stream_egress_socks_commands,      /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_stream_egress_socks_create_conf(ngx_conf_t *cf)
{
    ngx_stream_egress_socks_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_socks_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->socks4 = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_stream_egress_socks_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_socks_conf_t *prev = parent;
    ngx_stream_egress_socks_conf_t *conf = child;

    ngx_conf_merge_value(conf->socks4, prev->socks4, 0);

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_socks_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_stream_egress_set_server(cf, ngx_stream_egress_socks_handler,
                                        0);
}
