
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


static ngx_conf_enum_t  ngx_stream_egress_socks_udp[] = {
    { ngx_string("off"), NGX_STREAM_EGRESS_SOCKS_UDP_OFF },
    { ngx_string("on"), NGX_STREAM_EGRESS_SOCKS_UDP_ASSOCIATE },
    { ngx_string("connect"), NGX_STREAM_EGRESS_SOCKS_UDP_CONNECT },
    { ngx_null_string, 0 }
};


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

    { ngx_string("egress_udp_associate"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_socks_conf_t, udp),
      &ngx_stream_egress_socks_udp },

    { ngx_string("egress_udp_bind_ipv4"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_socks_bind,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_socks_conf_t, bind4),
      NULL },

    { ngx_string("egress_udp_bind_ipv6"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_socks_bind,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_socks_conf_t, bind6),
      NULL },

    { ngx_string("egress_udp_bind_port_range"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_egress_socks_port_range,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_udp_socket_buffer"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE12,
      ngx_stream_egress_socks_buffer,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_udp_client_initial_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_socks_conf_t, initial_timeout),
      NULL },

    { ngx_string("egress_transmute_udp_echo_ip"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_socks_transmute,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_udp_sock_speed_limit"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_socks_limit,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
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

    /*
     * set by ngx_pcalloc():
     *
     *     conf->port_min = 0;
     *     conf->port_max = 0;
     */

    conf->socks4 = NGX_CONF_UNSET;
    conf->udp = NGX_CONF_UNSET_UINT;
    conf->bind4 = NGX_CONF_UNSET_PTR;
    conf->bind6 = NGX_CONF_UNSET_PTR;
    conf->receive_buffer = NGX_CONF_UNSET_SIZE;
    conf->send_buffer = NGX_CONF_UNSET_SIZE;
    conf->initial_timeout = NGX_CONF_UNSET_MSEC;
    conf->transmute = NGX_CONF_UNSET;
    conf->echo = NGX_CONF_UNSET_PTR;

    ngx_egress_udp_limit_conf_init(&conf->limit);

    return conf;
}


static char *
ngx_stream_egress_socks_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_socks_conf_t *prev = parent;
    ngx_stream_egress_socks_conf_t *conf = child;

    ngx_conf_merge_value(conf->socks4, prev->socks4, 0);

    ngx_conf_merge_uint_value(conf->udp, prev->udp,
                              NGX_STREAM_EGRESS_SOCKS_UDP_OFF);
    ngx_conf_merge_ptr_value(conf->bind4, prev->bind4, NULL);
    ngx_conf_merge_ptr_value(conf->bind6, prev->bind6, NULL);

    if (conf->port_max == 0) {
        conf->port_min = prev->port_min;
        conf->port_max = prev->port_max;
    }

    ngx_conf_merge_size_value(conf->receive_buffer, prev->receive_buffer, 0);
    ngx_conf_merge_size_value(conf->send_buffer, prev->send_buffer, 0);
    ngx_conf_merge_msec_value(conf->initial_timeout, prev->initial_timeout,
                              30000);

    if (conf->transmute == NGX_CONF_UNSET) {
        conf->transmute = prev->transmute;
        conf->echo = prev->echo;
    }

    ngx_conf_init_value(conf->transmute, 0);
    ngx_conf_init_ptr_value(conf->echo, NULL);

    ngx_egress_udp_limit_conf_merge(&conf->limit, &prev->limit);

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_socks_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_egress_module);

    escf->users = 1;

    return ngx_stream_egress_set_server(cf, ngx_stream_egress_socks_handler,
                                        0);
}
