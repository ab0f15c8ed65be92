
/*
 * Copyright (C) ngx_egress authors
 *
 * The "in" fields of a task, from the request line and the configuration.
 * Decides nothing: the task does.
 */


#include "ngx_http_egress.h"
#include "../proto/ngx_egress_text.h"


static ngx_uint_t ngx_http_egress_target(ngx_http_request_t *r,
    ngx_egress_task_t *task, ngx_uint_t flags);


ngx_uint_t
ngx_http_egress_prepare(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx,
    ngx_uint_t flags)
{
    ngx_uint_t                   reason;
    ngx_egress_task_t           *task;
    ngx_http_egress_srv_conf_t  *escf;
    ngx_http_egress_loc_conf_t  *elcf;

    task = ctx->task;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_egress_module);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_egress_module);

    task->idle_timeout = elcf->idle_timeout;
    task->upload_rate = elcf->upload_rate;
    task->download_rate = elcf->download_rate;

    reason = ngx_http_egress_target(r, task, flags);
    if (reason) {
        return reason;
    }

    task->escaper = ngx_http_egress_find_escaper(r, &escf->proxy);
    if (task->escaper == NULL) {
        return NGX_EGRESS_ESCAPER_DENIED;
    }

    return ngx_http_egress_path(r, task);
}


/*
 * The authority as the client wrote it.  No field of the request holds the
 * port in every version of the core, hence from its beginning to what ends it.
 */

static ngx_uint_t
ngx_http_egress_target(ngx_http_request_t *r, ngx_egress_task_t *task,
    ngx_uint_t flags)
{
    u_char  *p, *buf;
    size_t   len;

    p = r->host_start;

    if (p == NULL) {
        return NGX_EGRESS_BAD_TARGET;
    }

    while (p < r->request_end && *p > ' ' && *p != '/' && *p != '?') {
        p++;
    }

    len = p - r->host_start;

    buf = ngx_pnalloc(r->pool, len + 1);
    if (buf == NULL) {
        return NGX_EGRESS_INTERNAL;
    }

    if (ngx_egress_addr_parse(&task->target, buf, r->host_start, len, flags)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent invalid target \"%*s\": %s",
                      len, r->host_start,
                      ngx_egress_addr_strerror(task->target.error));

        return NGX_EGRESS_BAD_TARGET;
    }

    return NGX_EGRESS_NONE;
}


ngx_egress_escaper_t *
ngx_http_egress_find_escaper(ngx_http_request_t *r,
    ngx_http_egress_escaper_t *e)
{
    u_char                 text[NGX_EGRESS_TEXT_LEN];
    ngx_str_t              name;
    ngx_egress_escaper_t  *escaper;

    if (e->value == NULL) {
        return e->escaper;
    }

    if (ngx_http_complex_value(r, e->value, &name) != NGX_OK) {
        return NULL;
    }

    escaper = ngx_egress_escaper_find((ngx_cycle_t *) ngx_cycle, &name);

    if (escaper == NULL) {
        ngx_egress_text(&name, text, &name);

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "unknown escaper \"%V\"", &name);
    }

    return escaper;
}
