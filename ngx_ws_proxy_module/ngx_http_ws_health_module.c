
/*
 * Copyright (C) ngx_egress authors
 *
 * Active health checks: the directives, and the places where nginx lets them
 * in.  ngx_ws_health.h tells who does what.
 */


#include <ngx_ws_health.h>


static char *ngx_ws_health_match(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_ws_health_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_ws_health_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_ws_health_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_ws_health_upstream(ngx_conf_t *cf,
    ngx_ws_health_main_conf_t *hmcf, ngx_http_upstream_srv_conf_t *uscf);
static ngx_ws_match_t *ngx_ws_health_find_match(
    ngx_ws_health_main_conf_t *hmcf, ngx_str_t *name);
static void *ngx_ws_health_create_main_conf(ngx_conf_t *cf);
static void *ngx_ws_health_create_srv_conf(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_ws_health_fallbacks[] = {
    { ngx_string("off"), 0 },
    { ngx_string("any"), 1 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_ws_health_commands[] = {

    { ngx_string("ws_proxy_match"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_ws_health_match,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_health_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_ws_health_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_health_check"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_ws_health_set_check,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_health_fallback"),
      NGX_HTTP_UPS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_ws_health_conf_t, any),
      &ngx_ws_health_fallbacks },

    { ngx_string("ws_proxy_health_status"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_ws_health_set_status,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ws_health_module_ctx = {
    ngx_ws_health_preconfiguration,        /* preconfiguration */
    ngx_ws_health_postconfiguration,       /* postconfiguration */

    ngx_ws_health_create_main_conf,        /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_ws_health_create_srv_conf,         /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_ws_health_module = {
    NGX_MODULE_V1,
    &ngx_http_ws_health_module_ctx,        /* module context */
    ngx_ws_health_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_ws_health_start,                   /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_ws_health_stop,                    /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_ws_health_match(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_ws_health_main_conf_t *hmcf = conf;

    return ngx_ws_match_block(cf, &hmcf->matches);
}


static char *
ngx_ws_health_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_ws_health_main_conf_t *hmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (hmcf->zone_size) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return "invalid value";
    }

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is too small, use at least %uz",
                           &value[1], 8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    hmcf->zone_size = size;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_ws_health_preconfiguration(ngx_conf_t *cf)
{
    return ngx_ws_health_add_variables(cf);
}


/* upstreams are complete here, and their balancers are chosen */

static ngx_int_t
ngx_ws_health_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                        name;
    ngx_uint_t                       i;
    ngx_ws_health_main_conf_t       *hmcf;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ws_health_module);
    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);

    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (uscfp[i]->srv_conf
            && ngx_ws_health_upstream(cf, hmcf, uscfp[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (hmcf->upstreams.nelts == 0) {
        return NGX_OK;
    }

    ngx_str_set(&name, "ws_proxy_health");

    hmcf->zone = ngx_shared_memory_add(cf, &name, hmcf->zone_size
                                                  ? hmcf->zone_size : 1048576,
                                       &ngx_http_ws_health_module);
    if (hmcf->zone == NULL) {
        return NGX_ERROR;
    }

    hmcf->zone->init = ngx_ws_health_zone_init;

    return NGX_OK;
}


static ngx_int_t
ngx_ws_health_upstream(ngx_conf_t *cf, ngx_ws_health_main_conf_t *hmcf,
    ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_uint_t              i;
    ngx_ws_health_conf_t   *hscf, **p;
    ngx_ws_health_check_t  *check;

    hscf = ngx_http_conf_upstream_srv_conf(uscf, ngx_http_ws_health_module);

    if (hscf == NULL || hscf->checks == NULL) {
        return NGX_OK;
    }

    if (hscf->any == NGX_CONF_UNSET_UINT) {
        hscf->any = 0;
    }

    check = hscf->checks->elts;

    for (i = 0; i < hscf->checks->nelts; i++) {

        if (check[i].match_name.len == 0) {
            continue;
        }

        check[i].match = ngx_ws_health_find_match(hmcf, &check[i].match_name);

        if (check[i].match == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown match \"%V\" in upstream \"%V\" in %s:%ui",
                          &check[i].match_name, &uscf->host,
                          uscf->file_name, uscf->line);
            return NGX_ERROR;
        }
    }

    p = ngx_array_push(&hmcf->upstreams);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = hscf;

    hscf->upstream = uscf;
    hscf->original_init = uscf->peer.init;
    uscf->peer.init = ngx_ws_health_init_peer;

    return NGX_OK;
}


static ngx_ws_match_t *
ngx_ws_health_find_match(ngx_ws_health_main_conf_t *hmcf, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_ws_match_t  **match;

    match = hmcf->matches.elts;

    for (i = 0; i < hmcf->matches.nelts; i++) {

        if (match[i]->name.len == name->len
            && ngx_strncmp(match[i]->name.data, name->data, name->len) == 0)
        {
            return match[i];
        }
    }

    return NULL;
}


static void *
ngx_ws_health_create_main_conf(ngx_conf_t *cf)
{
    ngx_ws_health_main_conf_t  *hmcf;

    hmcf = ngx_pcalloc(cf->pool, sizeof(ngx_ws_health_main_conf_t));
    if (hmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&hmcf->matches, cf->pool, 4, sizeof(ngx_ws_match_t *))
        != NGX_OK
        || ngx_array_init(&hmcf->upstreams, cf->pool, 4,
                          sizeof(ngx_ws_health_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return hmcf;
}


static void *
ngx_ws_health_create_srv_conf(ngx_conf_t *cf)
{
    ngx_ws_health_conf_t  *hscf;

    hscf = ngx_pcalloc(cf->pool, sizeof(ngx_ws_health_conf_t));
    if (hscf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     hscf->checks = NULL;
     *     everything that a worker fills in
     */

    hscf->any = NGX_CONF_UNSET_UINT;

    return hscf;
}
