
/*
 * Copyright (C) ngx_egress authors
 *
 * $ws_proxy_health_*: the health of the upstream that a request has used, or
 * of the one that is named.
 */


#include <ngx_ws_health.h>


static ngx_int_t ngx_ws_health_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_ws_health_named_up(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_ws_health_named_down(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_ws_health_named_total(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_ws_health_named(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_str_t *variable, size_t prefix,
    uintptr_t what);
static ngx_int_t ngx_ws_health_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_ws_health_conf_t *conf,
    uintptr_t data);
static ngx_int_t ngx_ws_health_peer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_ws_health_conf_t *conf);


enum {
    health_up = 0,
    health_down,
    health_total,
    health_upstream,
    health_peer
};


static ngx_http_variable_t  ngx_ws_health_vars[] = {

    { ngx_string("ws_proxy_health_up"), NULL, ngx_ws_health_variable,
      health_up, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_health_down"), NULL, ngx_ws_health_variable,
      health_down, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_health_total"), NULL, ngx_ws_health_variable,
      health_total, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_health_upstream"), NULL, ngx_ws_health_variable,
      health_upstream, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_health_peer"), NULL, ngx_ws_health_variable,
      health_peer, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_health_up_"), NULL, ngx_ws_health_named_up,
      0, NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

    { ngx_string("ws_proxy_health_down_"), NULL, ngx_ws_health_named_down,
      0, NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

    { ngx_string("ws_proxy_health_total_"), NULL, ngx_ws_health_named_total,
      0, NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_ws_health_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_ws_health_conf_t  *conf;

    conf = NULL;

    if (r->upstream && r->upstream->upstream
        && r->upstream->upstream->srv_conf)
    {
        conf = ngx_http_conf_upstream_srv_conf(r->upstream->upstream,
                                               ngx_http_ws_health_module);
    }

    if (conf == NULL || conf->checks == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_ws_health_value(r, v, conf, data);
}


/* for a prefix variable nginx passes the whole name as data */

static ngx_int_t
ngx_ws_health_named_up(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    return ngx_ws_health_named(r, v, (ngx_str_t *) data,
                               sizeof("ws_proxy_health_up_") - 1, health_up);
}


static ngx_int_t
ngx_ws_health_named_down(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    return ngx_ws_health_named(r, v, (ngx_str_t *) data,
                               sizeof("ws_proxy_health_down_") - 1,
                               health_down);
}


static ngx_int_t
ngx_ws_health_named_total(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    return ngx_ws_health_named(r, v, (ngx_str_t *) data,
                               sizeof("ws_proxy_health_total_") - 1,
                               health_total);
}


static ngx_int_t
ngx_ws_health_named(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    ngx_str_t *variable, size_t prefix, uintptr_t what)
{
    ngx_str_t                   name, *host;
    ngx_uint_t                  i;
    ngx_ws_health_conf_t      **conf;
    ngx_ws_health_main_conf_t  *hmcf;

    name.data = variable->data + prefix;
    name.len = variable->len - prefix;

    hmcf = ngx_http_get_module_main_conf(r, ngx_http_ws_health_module);
    conf = hmcf->upstreams.elts;

    for (i = 0; i < hmcf->upstreams.nelts; i++) {

        host = &conf[i]->upstream->host;

        if (host->len == name.len
            && ngx_strncasecmp(host->data, name.data, name.len) == 0)
        {
            return ngx_ws_health_value(r, v, conf[i], what);
        }
    }

    v->not_found = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_ws_health_value(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    ngx_ws_health_conf_t *conf, uintptr_t data)
{
    ngx_uint_t               i, n, total;
    ngx_ws_health_target_t  *t;

    ngx_ws_health_sync(conf);

    if (data == health_peer) {
        return ngx_ws_health_peer(r, v, conf);
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (data == health_upstream) {
        v->data = conf->upstream->host.data;
        v->len = conf->upstream->host.len;
        return NGX_OK;
    }

    /* servers that the configuration marks as "down" do not count */

    t = conf->targets.elts;
    total = 0;

    for (i = 0; i < conf->targets.nelts; i++) {
        total += !t[i].down;
    }

    n = (data == health_up) ? conf->healthy
        : (data == health_down) ? total - conf->healthy : total;

    v->data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%ui", n) - v->data;

    return NGX_OK;
}


/* the state of the server that the request went to last */

static ngx_int_t
ngx_ws_health_peer(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    ngx_ws_health_conf_t *conf)
{
    ngx_str_t               *peer;
    ngx_uint_t               i;
    ngx_ws_health_target_t  *t;

    peer = r->upstream->state ? r->upstream->state->peer : NULL;
    t = conf->targets.elts;

    for (i = 0; peer && i < conf->targets.nelts; i++) {

        if (t[i].name.len != peer->len
            || ngx_strncmp(t[i].name.data, peer->data, peer->len) != 0)
        {
            continue;
        }

        v->data = (u_char *) (t[i].up ? "up" : "down");
        v->len = ngx_strlen(v->data);
        v->valid = 1;
        v->no_cacheable = 0;
        v->not_found = 0;

        return NGX_OK;
    }

    v->not_found = 1;

    return NGX_OK;
}


ngx_int_t
ngx_ws_health_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_ws_health_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
