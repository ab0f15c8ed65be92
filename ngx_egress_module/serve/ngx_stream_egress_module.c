
/*
 * Copyright (C) ngx_egress authors
 *
 * The directives that all servers of stream { } have in common.  Each server
 * type is a module of its own.
 */


#include "ngx_stream_egress.h"


/* defaults of proxy_protocol_timeout: the core's, and ours */

#define NGX_STREAM_EGRESS_CORE_TIMEOUT    30000
#define NGX_STREAM_EGRESS_HEADER_TIMEOUT  5000


static ngx_int_t ngx_stream_egress_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_stream_egress_postconfiguration(ngx_conf_t *cf);
static void *ngx_stream_egress_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_stream_egress_header_timeout(ngx_conf_t *cf);
static char *ngx_stream_egress_set_escaper(ngx_conf_t *cf, ngx_str_t *value,
    ngx_stream_egress_escaper_t *e);
static char *ngx_stream_egress_speed_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_stream_egress_commands[] = {

    { ngx_string("egress_open_proxy"),
      NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_srv_conf_t, open_proxy),
      NULL },

    { ngx_string("egress_user_group"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_egress_user_group,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_negotiation_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_srv_conf_t, negotiation_timeout),
      NULL },

    { ngx_string("egress_idle_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_srv_conf_t, idle_timeout),
      NULL },

    { ngx_string("egress_tcp_sock_speed_limit"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE12,
      ngx_stream_egress_speed_limit,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_egress_module_ctx = {
    ngx_stream_egress_preconfiguration,    /* preconfiguration */
    ngx_stream_egress_postconfiguration,   /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_egress_create_srv_conf,     /* create server configuration */
    ngx_stream_egress_merge_srv_conf       /* merge server configuration */
};


ngx_module_t  ngx_stream_egress_module = {
    NGX_MODULE_V1,
    &ngx_stream_egress_module_ctx,         /* module context */
    ngx_stream_egress_commands,            /* module directives */
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


static ngx_int_t
ngx_stream_egress_preconfiguration(ngx_conf_t *cf)
{
    return ngx_stream_egress_add_variables(cf);
}


static ngx_int_t
ngx_stream_egress_postconfiguration(ngx_conf_t *cf)
{
    return ngx_stream_egress_open_check(cf);
}


static void *
ngx_stream_egress_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_egress_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->escaper = { NULL, NULL };
     *     conf->where = { 0 };
     *     conf->mapped = 0;
     *     conf->users = 0;
     *     conf->authenticate = NULL;
     */

    conf->open_proxy = NGX_CONF_UNSET;
    conf->group = NGX_CONF_UNSET_PTR;
    conf->negotiation_timeout = NGX_CONF_UNSET_MSEC;
    conf->idle_timeout = NGX_CONF_UNSET_MSEC;
    conf->upload_rate = NGX_CONF_UNSET_SIZE;
    conf->download_rate = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_stream_egress_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_srv_conf_t *prev = parent;
    ngx_stream_egress_srv_conf_t *conf = child;

    ngx_conf_merge_value(conf->open_proxy, prev->open_proxy, 0);
    ngx_conf_merge_msec_value(conf->negotiation_timeout,
                              prev->negotiation_timeout, 4000);
    ngx_conf_merge_msec_value(conf->idle_timeout, prev->idle_timeout,
                              5 * 60 * 1000);
    ngx_conf_merge_size_value(conf->upload_rate, prev->upload_rate, 0);
    ngx_conf_merge_size_value(conf->download_rate, prev->download_rate, 0);

    if (conf->where.name.len) {
        ngx_stream_egress_header_timeout(cf);
    }

    return ngx_stream_egress_user_group_merge(cf, prev, conf);
}


/*
 * The core waits for a PROXY header much longer than we do for what follows
 * it.  Its values are merged before ours, so that its default cannot be told
 * from the same value in the file.
 */

static void
ngx_stream_egress_header_timeout(ngx_conf_t *cf)
{
    ngx_stream_core_srv_conf_t  *cscf;

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->proxy_protocol_timeout == NGX_STREAM_EGRESS_CORE_TIMEOUT) {
        cscf->proxy_protocol_timeout = NGX_STREAM_EGRESS_HEADER_TIMEOUT;
    }
}


char *
ngx_stream_egress_set_server(ngx_conf_t *cf,
    ngx_stream_content_handler_pt handler, ngx_uint_t mapped)
{
    char                          *rv;
    ngx_str_t                     *value;
    ngx_stream_egress_srv_conf_t  *escf;

    rv = ngx_stream_egress_set_handler(cf, handler, mapped);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    escf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_egress_module);
    value = cf->args->elts;

    return ngx_stream_egress_set_escaper(cf, &value[1], &escf->escaper);
}


char *
ngx_stream_egress_set_handler(ngx_conf_t *cf,
    ngx_stream_content_handler_pt handler, ngx_uint_t mapped)
{
    ngx_str_t                     *value;
    ngx_stream_core_srv_conf_t    *cscf;
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_egress_module);
    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    value = cf->args->elts;

    if (escf->where.name.len == value[0].len
        && ngx_strcmp(escf->where.name.data, value[0].data) == 0)
    {
        return ngx_egress_is_duplicate;
    }

    if (cscf->handler) {
        return "cannot be used where the server has another handler already";
    }

    cscf->handler = handler;

    escf->handler = handler;
    escf->mapped = mapped;
    escf->where.name = value[0];
    ngx_egress_object_here(cf, &escf->where);

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_set_escaper(ngx_conf_t *cf, ngx_str_t *value,
    ngx_stream_egress_escaper_t *e)
{
    ngx_stream_complex_value_t           cv;
    ngx_stream_compile_complex_value_t   ccv;

    if (value->len == 0) {
        return "needs the name of an escaper";
    }

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = &cv;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv.lengths == NULL) {
        e->escaper = ngx_egress_escaper_ref(cf, value);
        return e->escaper ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    e->value = ngx_palloc(cf->pool, sizeof(ngx_stream_complex_value_t));
    if (e->value == NULL) {
        return NGX_CONF_ERROR;
    }

    *e->value = cv;

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_speed_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_srv_conf_t *escf = conf;

    if (escf->upload_rate != NGX_CONF_UNSET_SIZE
        || escf->download_rate != NGX_CONF_UNSET_SIZE)
    {
        return ngx_egress_is_duplicate;
    }

    return ngx_egress_conf_speed_limit(cf, &escf->upload_rate,
                                       &escf->download_rate);
}
