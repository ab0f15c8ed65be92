
/*
 * Copyright (C) ngx_egress authors
 *
 * The flow of a request in absolute-form: check, have the task connect, run
 * the core's upstream on the open connection, and say how it ended.
 */


#include "ngx_http_egress_forward.h"


static ngx_http_egress_forward_t *ngx_http_egress_forward_create(
    ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx);
static ngx_uint_t ngx_http_egress_forward_prepare(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_answer(
    ngx_http_egress_forward_t *fwd);
static void ngx_http_egress_forward_connected(ngx_egress_task_t *task);
static ngx_int_t ngx_http_egress_forward_start(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_init_upstream(
    ngx_http_egress_forward_t *fwd);
static void ngx_http_egress_forward_finished(ngx_egress_task_t *task);
static void ngx_http_egress_forward_abort_upstream(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_reinit_request(
    ngx_http_request_t *r);
static void ngx_http_egress_forward_abort_request(ngx_http_request_t *r);
static void ngx_http_egress_forward_finalize_request(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_uint_t ngx_http_egress_forward_reason(
    ngx_http_egress_forward_t *fwd, ngx_int_t rc);
static void ngx_http_egress_forward_cleanup(void *data);


ngx_int_t
ngx_http_egress_forward(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx)
{
    ngx_uint_t                  reason;
    ngx_egress_task_t          *task;
    ngx_http_egress_forward_t  *fwd;

    fwd = ngx_http_egress_forward_create(r, ctx);
    if (fwd == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reason = ngx_http_egress_forward_prepare(fwd);

    if (reason) {
        return ngx_http_egress_error(r, ctx, reason);
    }

    if (fwd->max_forwards == 0) {
        return ngx_http_egress_forward_answer(fwd);
    }

    task = ctx->task;

    task->connected = ngx_http_egress_forward_connected;
    task->finish = ngx_http_egress_forward_finished;
    task->data = ctx;

    task->forward = 1;
    task->reusable = (fwd->conf->keepalive != 0);

    /* what comes with a body says nothing about the client being there */

    r->read_event_handler = fwd->body ? ngx_http_block_reading
                                      : ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    r->main->count++;

    ngx_http_egress_log(ctx, ngx_egress_task_log_created);
    ngx_egress_task_run(task);

    ctx->async = 1;

    return NGX_DONE;
}


static ngx_http_egress_forward_t *
ngx_http_egress_forward_create(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx)
{
    ngx_http_cleanup_t         *cln;
    ngx_http_egress_forward_t  *fwd;

    fwd = ngx_pcalloc(r->pool, sizeof(ngx_http_egress_forward_t));
    if (fwd == NULL) {
        return NULL;
    }

    /* runs before that of the context, which would call it an abort */

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_egress_forward_cleanup;
    cln->data = fwd;

    fwd->request = r;
    fwd->ctx = ctx;
    fwd->task = ctx->task;
    fwd->conf = ngx_http_get_module_loc_conf(r,
                                             ngx_http_egress_forward_module);

    ctx->forward = fwd;

    return fwd;
}


static ngx_uint_t
ngx_http_egress_forward_prepare(ngx_http_egress_forward_t *fwd)
{
    size_t               len;
    ngx_uint_t           reason, port;
    ngx_http_request_t  *r;

    r = fwd->request;

    len = r->schema_end - r->schema_start;
    port = 80;

    if (len == 5 && ngx_strncasecmp(r->schema_start, (u_char *) "https", 5)
                    == 0)
    {
        fwd->https = 1;
        port = 443;

    } else if (len != 4
               || ngx_strncasecmp(r->schema_start, (u_char *) "http", 4) != 0)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent request with unsupported scheme \"%*s\"",
                      len, r->schema_start);
        return NGX_EGRESS_UNSUPPORTED;
    }

    reason = ngx_http_egress_prepare(r, fwd->ctx,
                                     NGX_EGRESS_PORT_DEFAULT(port));
    if (reason) {
        return reason;
    }

    if (fwd->https) {

        if (!fwd->conf->https || fwd->conf->tls == NULL) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "client sent https request, "
                          "and \"egress_https_forward\" is off");
            return NGX_EGRESS_UNSUPPORTED;
        }

        fwd->task->tls = fwd->conf->tls;
    }

    return ngx_http_egress_forward_check(fwd);
}


/* RFC 9110, section 7.6.2: OPTIONS that may go no further ends here. */

static ngx_int_t
ngx_http_egress_forward_answer(ngx_http_egress_forward_t *fwd)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = fwd->request;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    fwd->complete = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static void
ngx_http_egress_forward_connected(ngx_egress_task_t *task)
{
    ngx_uint_t                  async;
    ngx_connection_t           *c;
    ngx_http_egress_ctx_t      *ctx;
    ngx_http_egress_forward_t  *fwd;

    ctx = task->data;
    fwd = ctx->forward;
    c = ctx->request->connection;
    async = ctx->async;

    if (fwd->waiting) {
        ngx_http_egress_forward_swap(fwd);

    } else if (ngx_http_egress_forward_start(fwd) != NGX_OK) {
        ngx_http_egress_forward_fail(fwd, NGX_EGRESS_INTERNAL);
    }

    if (async) {
        ngx_http_run_posted_requests(c);
    }
}


static ngx_int_t
ngx_http_egress_forward_start(ngx_http_egress_forward_t *fwd)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = fwd->request;

    ngx_http_egress_log(fwd->ctx, ngx_egress_task_log_connected);

    if (ngx_http_egress_forward_init_upstream(fwd) != NGX_OK) {
        return NGX_ERROR;
    }

    r->request_body_no_buffering = 1;

    /* the origin says whether it wants the body: no "100" of the core */

    r->expect_tested = fwd->expect;

    rc = ngx_http_read_client_request_body(r, ngx_http_upstream_init);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_egress_task_close(fwd->task,
                              ngx_http_egress_forward_reason(fwd, rc));

        /* the core says 500 when its "100" does not reach the client */

        ngx_http_finalize_request(r, r->connection->error
                                     ? NGX_HTTP_CLIENT_CLOSED_REQUEST : rc);
        return NGX_OK;
    }

    /* the core has counted the request once more: that was this task's */

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_init_upstream(ngx_http_egress_forward_t *fwd)
{
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = fwd->request;

    if (ngx_http_upstream_create(r) != NGX_OK
        || ngx_http_egress_forward_reset(fwd) != NGX_OK)
    {
        return NGX_ERROR;
    }

    u = r->upstream;

    u->conf = &fwd->conf->upstream;

    if (fwd->https) {
        ngx_str_set(&u->schema, "https://");

    } else {
        ngx_str_set(&u->schema, "http://");
    }

    u->uri = fwd->uri;

    u->output.tag = (ngx_buf_tag_t) &ngx_http_egress_forward_module;
    u->output.output_filter = ngx_http_egress_forward_upload;
    u->output.filter_ctx = fwd;

    u->create_request = ngx_http_egress_forward_create_request;
    u->reinit_request = ngx_http_egress_forward_reinit_request;
    u->process_header = ngx_http_egress_forward_process_header;
    u->abort_request = ngx_http_egress_forward_abort_request;
    u->finalize_request = ngx_http_egress_forward_finalize_request;

    u->input_filter_init = ngx_http_egress_forward_body_init;
    u->input_filter = ngx_http_egress_forward_body;
    u->input_filter_ctx = fwd;

    return NGX_OK;
}


static void
ngx_http_egress_forward_finished(ngx_egress_task_t *task)
{
    ngx_uint_t              async;
    ngx_connection_t       *c;
    ngx_http_egress_ctx_t  *ctx;

    ctx = task->data;
    c = ctx->request->connection;
    async = ctx->async;

    ngx_http_egress_forward_fail(ctx->forward, task->reason);

    if (async) {
        ngx_http_run_posted_requests(c);
    }
}


void
ngx_http_egress_forward_fail(ngx_http_egress_forward_t *fwd,
    ngx_uint_t reason)
{
    ngx_http_request_t  *r;

    r = fwd->request;
    fwd->reason = reason;

    ngx_http_egress_forward_abort_upstream(fwd);

    if (r->reading_body) {
        r->keepalive = 0;
    }

    ngx_http_finalize_request(r, ngx_http_egress_error(r, fwd->ctx, reason));
}


/*
 * The core can be stopped only through its own cleanup handler, which is that
 * of a request that ends and therefore gives back a reference.
 */

static void
ngx_http_egress_forward_abort_upstream(ngx_http_egress_forward_t *fwd)
{
    ngx_array_t          *states;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = fwd->request;
    u = r->upstream;

    if (u == NULL || u->cleanup == NULL) {
        return;
    }

    /* the last state is of an attempt that was never made */

    states = r->upstream_states;

    if (states && states->nelts > 1) {
        states->nelts--;
        u->state--;
    }

    r->main->count++;

    (*u->cleanup)(r);
}


static ngx_int_t
ngx_http_egress_forward_reinit_request(ngx_http_request_t *r)
{
    ngx_http_egress_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    return ngx_http_egress_forward_reset(ctx->forward);
}


static void
ngx_http_egress_forward_abort_request(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "http egress abort request");
}


/* The core has finished with the upstream; bytes for the client may wait. */

static void
ngx_http_egress_forward_finalize_request(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_egress_ctx_t      *ctx;
    ngx_http_egress_forward_t  *fwd;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "http egress finalize request: %i", rc);

    ctx = ngx_http_egress_get_ctx(r);
    fwd = ctx->forward;

    ngx_http_egress_forward_drop(fwd);

    if (fwd->reason == NGX_EGRESS_NONE) {
        fwd->reason = ngx_http_egress_forward_reason(fwd, rc);
    }

    fwd->complete = (fwd->reason == NGX_EGRESS_NONE);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE && !r->upstream->header_sent) {
        (void) ngx_http_egress_proxy_status(r, fwd->reason);
    }
}


static ngx_uint_t
ngx_http_egress_forward_reason(ngx_http_egress_forward_t *fwd, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = fwd->request;
    c = r->upstream->peer.connection;

    if (r->connection->close) {
        return NGX_EGRESS_SHUTDOWN;
    }

    if (r->connection->error && rc != NGX_HTTP_REQUEST_TIME_OUT) {
        return NGX_EGRESS_CLIENT_ABORTED;
    }

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        return NGX_EGRESS_NONE;

    case NGX_HTTP_REQUEST_TIME_OUT:
        return NGX_EGRESS_CLIENT_TIMEOUT;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return NGX_EGRESS_UPSTREAM_TIMEOUT;

    case NGX_HTTP_BAD_GATEWAY:
        return (c && c->read->error) ? NGX_EGRESS_UPSTREAM_ABORTED
                                     : NGX_EGRESS_UPSTREAM_CLOSED;

    case NGX_DONE:
    case NGX_HTTP_CLIENT_CLOSED_REQUEST:
    case NGX_ERROR:
        return NGX_EGRESS_CLIENT_ABORTED;

    case NGX_HTTP_INTERNAL_SERVER_ERROR:
        return NGX_EGRESS_INTERNAL;

    default:
        return NGX_EGRESS_BAD_REQUEST;
    }
}


/*
 * The upstream ends with the request and drops its reference while the core
 * still walks the cleanup handlers: the request has to outlive that.
 */

void
ngx_http_egress_forward_gone(ngx_http_request_t *r)
{
    r->main->count++;

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


void
ngx_http_egress_forward_count(ngx_http_egress_ctx_t *ctx)
{
    ngx_egress_task_t          *task;
    ngx_http_request_t         *r;
    ngx_http_upstream_t        *u;
    ngx_http_egress_forward_t  *fwd;

    fwd = ctx->forward;
    if (fwd == NULL) {
        return;
    }

    r = fwd->request;
    u = r->upstream;
    task = fwd->task;

    task->bytes_sent = r->connection->sent;
    task->bytes_received = r->request_length;

    if (u && u->upgrade && u->state) {
        task->bytes_received += u->state->bytes_sent - fwd->request_size;
    }
}


/* The end of the request, before it is logged. */

static void
ngx_http_egress_forward_cleanup(void *data)
{
    ngx_http_egress_forward_t *fwd = data;

    ngx_http_egress_forward_count(fwd->ctx);

    if (!fwd->complete && fwd->reason == NGX_EGRESS_NONE) {
        return;
    }

    if (fwd->complete && fwd->request->connection->error) {
        fwd->reason = NGX_EGRESS_CLIENT_ABORTED;
    }

    ngx_egress_task_close(fwd->task, fwd->reason);
}
