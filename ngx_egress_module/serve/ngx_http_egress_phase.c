
/*
 * Copyright (C) ngx_egress authors
 *
 * Where proxied requests leave the way of other requests: a handler of the
 * SERVER_REWRITE phase continues behind the location search, so access rules,
 * limits, auth_request and log settings of the server apply and no location
 * does.  Also keeps the context of a request.
 */


#include "ngx_http_egress.h"


static ngx_int_t ngx_http_egress_server_rewrite_handler(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_egress_origin_form(ngx_http_request_t *r,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_egress_check_body_size(ngx_http_request_t *r);
static void ngx_http_egress_close_task(void *data);
static void ngx_http_egress_ctx_cleanup(void *data);


static ngx_int_t
ngx_http_egress_server_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_egress_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_egress_module);

    /* error_page, server rewrites and subrequests must find locations */

    if (!ngx_http_egress_is_proxy(escf) || r->internal || r != r->main) {
        return NGX_DECLINED;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (!ngx_http_egress_proxied(r)) {
        return ngx_http_egress_origin_form(r, cscf);
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "http egress proxied request");

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    r->loc_conf = cscf->ctx->loc_conf;
    ngx_http_update_location_config(r);

    r->content_handler = ngx_http_egress_handler;

    if (ngx_http_egress_check_body_size(r) != NGX_OK) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    /* the checker of this phase adds one to what it sees */

    r->phase_handler = cmcf->phase_engine.location_rewrite_index - 1;

    return NGX_DECLINED;
}


/* A request for the proxy itself: up to locations, if there are any. */

static ngx_int_t
ngx_http_egress_origin_form(ngx_http_request_t *r,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->static_locations != NULL) {
        return NGX_DECLINED;
    }

#if (NGX_PCRE)
    if (clcf->regex_locations != NULL) {
        return NGX_DECLINED;
    }
#endif

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent a request that is not for a proxy");

    return NGX_HTTP_BAD_REQUEST;
}


/* what the core does when it has found the location */

static ngx_int_t
ngx_http_egress_check_body_size(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->headers_in.content_length_n == -1
        || clcf->client_max_body_size == 0
        || clcf->client_max_body_size >= r->headers_in.content_length_n)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "client intended to send too large body: %O bytes",
                  r->headers_in.content_length_n);

    r->expect_tested = 1;
    (void) ngx_http_discard_request_body(r);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_egress_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_egress_ctx_t  *ctx;

    ctx = ngx_http_egress_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* who may not ask learns nothing about the target */

    if (!ngx_http_egress_authenticate(r, ctx, &rc)) {
        return rc;
    }

    if (ctx->connect) {
        return ngx_http_egress_connect(r, ctx);
    }

    return ngx_http_egress_forward(r, ctx);
}


ngx_http_egress_ctx_t *
ngx_http_egress_create_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t     *hcln;
    ngx_pool_cleanup_t     *cln;
    ngx_http_egress_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_egress_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_egress_ctx_t));

    ctx->request = r;
    ctx->connect = (r->method == NGX_HTTP_CONNECT);

    ctx->task = ngx_egress_task_create(r->pool, r->connection->log,
                                       r->connection);
    if (ctx->task == NULL) {
        return NULL;
    }

    /* before the access log is written */

    hcln = ngx_http_cleanup_add(r, 0);
    if (hcln == NULL) {
        return NULL;
    }

    hcln->handler = ngx_http_egress_close_task;
    hcln->data = ctx;

    cln->handler = ngx_http_egress_ctx_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_egress_module);

    return ctx;
}


ngx_http_egress_ctx_t *
ngx_http_egress_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_egress_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    if (ctx != NULL || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect clears contexts, but not the pool */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_egress_ctx_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static void
ngx_http_egress_close_task(void *data)
{
    ngx_http_egress_ctx_t *ctx = data;

    ngx_uint_t         reason;
    ngx_connection_t  *c;

    c = ctx->request->connection;
    reason = NGX_EGRESS_CLIENT_ABORTED;

    /* a worker that shuts down closes its connections with a mark */

    if (c->close && (ngx_exiting || ngx_terminate)) {
        reason = NGX_EGRESS_SHUTDOWN;
    }

    ngx_egress_task_close(ctx->task, reason);
}


static void
ngx_http_egress_ctx_cleanup(void *data)
{
    /* its address marks the context */
}


ngx_int_t
ngx_http_egress_phase_init(ngx_conf_t *cf)
{
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    /*
     * The last one registered runs first: ours has to run last, after "set",
     * "if", "return" and "rewrite" of the server.
     */

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_egress_server_rewrite_handler;

    return NGX_OK;
}
