
/*
 * Copyright (C) ngx_egress authors
 *
 * The directives of requests in absolute-form.
 */


#include "ngx_http_egress_forward.h"


#define NGX_HTTP_EGRESS_FORWARD_CONF                                          \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF


static void *ngx_http_egress_forward_create_conf(ngx_conf_t *cf);
static char *ngx_http_egress_forward_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_egress_forward_merge_upstream(
    ngx_http_upstream_conf_t *conf, ngx_http_upstream_conf_t *prev);
static char *ngx_http_egress_forward_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_conf_t *conf, ngx_http_upstream_conf_t *prev);

static char *ngx_http_egress_forward_keepalive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_conf_enum_t  ngx_http_egress_forwarded[] = {
    { ngx_string("off"), NGX_HTTP_EGRESS_FORWARDED_OFF },
    { ngx_string("classic"), NGX_HTTP_EGRESS_FORWARDED_CLASSIC },
    { ngx_string("standard"), NGX_HTTP_EGRESS_FORWARDED_STANDARD },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_egress_buffer_size_bounds = {
    ngx_conf_check_num_bounds, 1024, 16 * 1024 * 1024
};


static ngx_command_t  ngx_http_egress_forward_commands[] = {

    { ngx_string("egress_https_forward"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, https),
      NULL },

#if (NGX_HTTP_SSL)

    { ngx_string("egress_tls_client"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_tls_client_block,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, tls),
      NULL },

#endif

    { ngx_string("egress_upstream_keepalive"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_TAKE1,
      ngx_http_egress_forward_keepalive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_upstream_keepalive_timeout"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, keepalive_timeout),
      NULL },

    { ngx_string("egress_send_timeout"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, upstream.send_timeout),
      NULL },

    { ngx_string("egress_read_timeout"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, upstream.read_timeout),
      NULL },

    { ngx_string("egress_buffer_size"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, upstream.buffer_size),
      &ngx_http_egress_buffer_size_bounds },

    { ngx_string("egress_via"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, via),
      NULL },

    { ngx_string("egress_forwarded"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, forwarded),
      &ngx_http_egress_forwarded },

    { ngx_string("egress_steal_forwarded_for"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, steal_forwarded),
      NULL },

    { ngx_string("egress_allow_custom_host"),
      NGX_HTTP_EGRESS_FORWARD_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_forward_conf_t, custom_host),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_egress_forward_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_egress_forward_create_conf,   /* create location configuration */
    ngx_http_egress_forward_merge_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_egress_forward_module = {
    NGX_MODULE_V1,
    &ngx_http_egress_forward_module_ctx,   /* module context */
    ngx_http_egress_forward_commands,      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_egress_forward_hide[] = {
    ngx_null_string
};


static void *
ngx_http_egress_forward_create_conf(ngx_conf_t *cf)
{
    ngx_http_egress_forward_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_egress_forward_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /* set by ngx_pcalloc(): what of conf->upstream is not set here */

    conf->upstream.send_timeout = NGX_CONF_UNSET_MSEC;
    conf->upstream.read_timeout = NGX_CONF_UNSET_MSEC;
    conf->upstream.buffer_size = NGX_CONF_UNSET_SIZE;
    conf->upstream.hide_headers = NGX_CONF_UNSET_PTR;
    conf->upstream.pass_headers = NGX_CONF_UNSET_PTR;

    conf->tls = NGX_CONF_UNSET_PTR;
    conf->https = NGX_CONF_UNSET;
    conf->keepalive = NGX_CONF_UNSET_UINT;
    conf->keepalive_timeout = NGX_CONF_UNSET_MSEC;
    conf->via = NGX_CONF_UNSET;
    conf->forwarded = NGX_CONF_UNSET_UINT;
    conf->steal_forwarded = NGX_CONF_UNSET;
    conf->custom_host = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_egress_forward_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_egress_forward_conf_t *prev = parent;
    ngx_http_egress_forward_conf_t *conf = child;

    ngx_conf_merge_value(conf->https, prev->https, 0);
    ngx_conf_merge_ptr_value(conf->tls, prev->tls, NULL);

#if (NGX_HTTP_SSL)

    if (conf->https && conf->tls == NULL) {
        conf->tls = ngx_egress_tls_default(cf);
        if (conf->tls == NULL) {
            return NGX_CONF_ERROR;
        }
    }

#else

    if (conf->https) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"egress_https_forward\" needs an nginx that is "
                           "configured with --with-http_ssl_module");
        return NGX_CONF_ERROR;
    }

#endif

    ngx_conf_merge_uint_value(conf->keepalive, prev->keepalive, 64);
    ngx_conf_merge_msec_value(conf->keepalive_timeout,
                              prev->keepalive_timeout, 60000);
    ngx_conf_merge_value(conf->via, prev->via, 0);
    ngx_conf_merge_uint_value(conf->forwarded, prev->forwarded,
                              NGX_HTTP_EGRESS_FORWARDED_OFF);
    ngx_conf_merge_value(conf->steal_forwarded, prev->steal_forwarded, 0);
    ngx_conf_merge_value(conf->custom_host, prev->custom_host, 0);

    ngx_http_egress_forward_merge_upstream(&conf->upstream, &prev->upstream);

    return ngx_http_egress_forward_init_upstream(cf, &conf->upstream,
                                                 &prev->upstream);
}


static void
ngx_http_egress_forward_merge_upstream(ngx_http_upstream_conf_t *conf,
    ngx_http_upstream_conf_t *prev)
{
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 60000);
    ngx_conf_merge_msec_value(conf->read_timeout, prev->read_timeout, 60000);
    ngx_conf_merge_size_value(conf->buffer_size, prev->buffer_size,
                              16 * 1024);
}


static char *
ngx_http_egress_forward_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_conf_t *conf, ngx_http_upstream_conf_t *prev)
{
    ngx_hash_init_t  hash;

    /* time for a connection is the escaper's; the core only sees open ones */

    conf->upstream = &ngx_http_egress_forward_upstream;
    conf->connect_timeout = 60000;

    /* a failed peer is always "tried again", see forward_peer.c */

    conf->next_upstream = NGX_HTTP_UPSTREAM_FT_ERROR
                          |NGX_HTTP_UPSTREAM_FT_TIMEOUT
                          |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
                          |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;

    /* the body is sent on while the answer comes back */

    conf->preserve_output = 1;

    /* an origin is not our backend: it gives no orders by X-Accel-* */

    conf->ignore_headers = NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                           |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES
                           |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                           |NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING
                           |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET
                           |NGX_HTTP_UPSTREAM_IGN_EXPIRES
                           |NGX_HTTP_UPSTREAM_IGN_CACHE_CONTROL
                           |NGX_HTTP_UPSTREAM_IGN_SET_COOKIE
                           |NGX_HTTP_UPSTREAM_IGN_VARY;

    hash.max_size = 64;
    hash.bucket_size = ngx_align(64, ngx_cacheline_size);
    hash.name = "egress_headers_hash";

    if (ngx_http_upstream_hide_headers_hash(cf, conf, prev,
                                            ngx_http_egress_forward_hide,
                                            &hash)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_egress_forward_keepalive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_egress_forward_conf_t *fcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (fcf->keepalive != NGX_CONF_UNSET_UINT) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        fcf->keepalive = 0;
        return NGX_CONF_OK;
    }

    n = ngx_atoi(value[1].data, value[1].len);
    if (n == NGX_ERROR) {
        return "must be a number of connections or \"off\"";
    }

    fcf->keepalive = n;

    return NGX_CONF_OK;
}
