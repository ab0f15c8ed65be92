
/*
 * Copyright (C) ngx_egress authors
 *
 * The backend's answer: a 101 is checked and opens the session, any other
 * response is passed on to the client as it is.
 */


#include <ngx_http_ws_proxy.h>


static ngx_int_t ngx_http_ws_proxy_process_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_ws_proxy_push_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_ws_proxy_header_done(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx);
static ngx_int_t ngx_http_ws_proxy_empty_header(ngx_http_request_t *r,
    ngx_str_t *name, const char *lowcase);
static ngx_int_t ngx_http_ws_proxy_check_101(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx);
static ngx_int_t ngx_http_ws_proxy_check_accept(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_ws_proxy_invalid(ngx_http_request_t *r,
    const char *reason);
static ngx_int_t ngx_http_ws_proxy_chunked_filter(void *data, ssize_t bytes);


static ngx_str_t  ngx_http_ws_proxy_server = ngx_string("Server");
static ngx_str_t  ngx_http_ws_proxy_date = ngx_string("Date");


ngx_int_t
ngx_http_ws_proxy_process_status(ngx_http_request_t *r)
{
    size_t                    len;
    ngx_int_t                 rc;
    ngx_http_upstream_t      *u;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);
    u = r->upstream;

    rc = ngx_http_parse_status_line(r, &u->buffer, &ctx->status);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK || ctx->status.http_version < NGX_HTTP_VERSION_10) {
        return ngx_http_ws_proxy_invalid(r, "no valid status line");
    }

    if (u->state->status == 0) {
        u->state->status = ctx->status.code;
    }

    u->headers_in.status_n = ctx->status.code;

    len = ctx->status.end - ctx->status.start;

    u->headers_in.status_line.data = ngx_pnalloc(r->pool, len);
    if (u->headers_in.status_line.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(u->headers_in.status_line.data, ctx->status.start, len);
    u->headers_in.status_line.len = len;

    u->process_header = ngx_http_ws_proxy_process_header;

    return ngx_http_ws_proxy_process_header(r);
}


static ngx_int_t
ngx_http_ws_proxy_process_header(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    for ( ;; ) {

        rc = ngx_http_parse_header_line(r, &r->upstream->buffer, 1);

        if (rc == NGX_OK) {
            rc = ngx_http_ws_proxy_push_header(r);

            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
            return ngx_http_ws_proxy_header_done(r, ctx);
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        return ngx_http_ws_proxy_invalid(r, "a malformed header");
    }
}


static ngx_int_t
ngx_http_ws_proxy_push_header(ngx_http_request_t *r)
{
    u_char                         *p;
    ngx_table_elt_t                *h;
    ngx_http_upstream_t            *u;
    ngx_http_upstream_header_t     *hh;
    ngx_http_upstream_main_conf_t  *umcf;

    u = r->upstream;

    h = ngx_list_push(&u->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_ws_header_end(h);
    h->hash = 0;

    h->key.len = r->header_name_end - r->header_name_start;
    h->value.len = r->header_end - r->header_start;

    p = ngx_pnalloc(r->pool, 2 * h->key.len + h->value.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->key.data = p;
    p = ngx_cpymem(p, r->header_name_start, h->key.len);
    *p++ = '\0';

    h->value.data = p;
    p = ngx_cpymem(p, r->header_start, h->value.len);
    *p++ = '\0';

    h->lowcase_key = p;
    ngx_strlow(h->lowcase_key, h->key.data, h->key.len);
    h->hash = r->header_hash;

    /* an interim response: nothing of it is ours or the client's */

    if (u->headers_in.status_n < 200
        && u->headers_in.status_n != NGX_HTTP_SWITCHING_PROTOCOLS)
    {
        return NGX_OK;
    }

    umcf = ngx_http_get_module_main_conf(r, ngx_http_upstream_module);

    hh = ngx_hash_find(&umcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    return hh ? hh->handler(r, h, hh->offset) : NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_header_done(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->headers_in.status_n == NGX_HTTP_SWITCHING_PROTOCOLS) {
        return ngx_http_ws_proxy_check_101(r, ctx);
    }

    if (u->headers_in.status_n < 200) {

        /* 100, 102, 103: the response is still to come */

        if (ngx_list_init(&u->headers_in.headers, r->pool, 8,
                          sizeof(ngx_table_elt_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        u->state->status = 0;
        (void) ngx_http_ws_proxy_reinit_request(r);

        return ngx_http_ws_proxy_process_status(r);
    }

    if (u->headers_in.chunked) {
        u->headers_in.content_length_n = -1;
    }

    /* an empty field of each keeps the header filter from adding its own */

    if (u->headers_in.server == NULL
        && ngx_http_ws_proxy_empty_header(r, &ngx_http_ws_proxy_server,
                                          "server")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (u->headers_in.date == NULL
        && ngx_http_ws_proxy_empty_header(r, &ngx_http_ws_proxy_date, "date")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_empty_header(ngx_http_request_t *r, ngx_str_t *name,
    const char *lowcase)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->upstream->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_key((u_char *) lowcase, name->len);
    h->key = *name;
    ngx_str_null(&h->value);
    h->lowcase_key = (u_char *) lowcase;
    ngx_ws_header_end(h);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_check_101(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_uint_t        i, upgrade, connection, accept;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    upgrade = 0;
    connection = 0;
    accept = 0;

    part = &r->upstream->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len == 7 && ngx_strncmp(h->lowcase_key, "upgrade", 7) == 0)
        {
            upgrade |= ngx_ws_has_token(&h->value, "websocket");

        } else if (h->key.len == 10
                   && ngx_strncmp(h->lowcase_key, "connection", 10) == 0)
        {
            connection |= ngx_ws_has_token(&h->value, "upgrade");

        } else if (h->key.len == 20
                   && ngx_strncmp(h->lowcase_key, "sec-websocket-accept", 20)
                      == 0)
        {
            rc = ngx_http_ws_proxy_check_accept(r, ctx, &h->value);

            if (rc != NGX_OK) {
                return rc;
            }

            accept++;

        } else if (h->key.len == 24
                   && ngx_strncmp(h->lowcase_key, "sec-websocket-extensions",
                                  24)
                      == 0
                   && ngx_ws_extensions(&ctx->accepted, &h->value) != NGX_OK)
        {
            return ngx_http_ws_proxy_invalid(r, "a malformed "
                                             "Sec-WebSocket-Extensions");
        }
    }

    if (!upgrade || !connection) {
        return ngx_http_ws_proxy_invalid(r, "101 without an upgrade to "
                                         "websocket");
    }

    if (accept != 1) {
        return ngx_http_ws_proxy_invalid(r, "101 without one "
                                         "Sec-WebSocket-Accept");
    }

    if (!ctx->offered && (ctx->accepted.deflate || ctx->accepted.unknown)) {
        return ngx_http_ws_proxy_invalid(r, "an extension that was not "
                                         "offered");
    }

    ctx->upgraded = 1;
    r->upstream->keepalive = 0;
    r->upstream->headers_in.content_length_n = -1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_check_accept(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_str_t *value)
{
    u_char  accept[NGX_WS_ACCEPT_LEN];

    ngx_ws_accept(accept, &ctx->key);

    if (value->len != NGX_WS_ACCEPT_LEN
        || ngx_memcmp(value->data, accept, NGX_WS_ACCEPT_LEN) != 0)
    {
        return ngx_http_ws_proxy_invalid(r, "a wrong Sec-WebSocket-Accept");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_invalid(ngx_http_request_t *r, const char *reason)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "websocket backend sent %s", reason);

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


ngx_int_t
ngx_http_ws_proxy_filter_init(void *data)
{
    ngx_http_request_t *r = data;

    ngx_http_upstream_t      *u;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (ctx->upgraded) {
        return ngx_http_ws_proxy_open(ctx);
    }

    u = r->upstream;

    if (u->headers_in.status_n == NGX_HTTP_NO_CONTENT
        || u->headers_in.status_n == NGX_HTTP_NOT_MODIFIED)
    {
        u->length = 0;

    } else if (u->headers_in.chunked) {
        u->input_filter = ngx_http_ws_proxy_chunked_filter;
        u->length = 1;

    } else {
        u->length = u->headers_in.content_length_n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_chunked_filter(void *data, ssize_t bytes)
{
    ngx_http_request_t *r = data;

    off_t                     size;
    ngx_int_t                 rc;
    ngx_buf_t                *buf, *b;
    ngx_chain_t              *cl, **ll;
    ngx_http_upstream_t      *u;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);
    u = r->upstream;

    buf = &u->buffer;
    buf->pos = buf->last;
    buf->last += bytes;

    for (ll = &u->out_bufs; *ll; ll = &(*ll)->next) { /* void */ }

    for ( ;; ) {

        rc = ngx_ws_parse_chunked(r, buf, &ctx->chunked);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_DONE) {
            u->length = 0;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "websocket backend sent an invalid chunk");
            return NGX_ERROR;
        }

        cl = ngx_chain_get_free_buf(r->pool, &u->free_bufs);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        size = ngx_min((off_t) (buf->last - buf->pos), ctx->chunked.size);

        b = cl->buf;
        b->flush = 1;
        b->memory = 1;
        b->tag = u->output.tag;
        b->pos = buf->pos;
        b->last = buf->pos + (size_t) size;

        buf->pos = b->last;
        ctx->chunked.size -= size;

        *ll = cl;
        ll = &cl->next;
    }
}
