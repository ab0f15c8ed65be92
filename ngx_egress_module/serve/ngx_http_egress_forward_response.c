
/*
 * Copyright (C) ngx_egress authors
 *
 * Reads heads of responses: interim ones (1xx) are passed on, the final one
 * is given to the core.  What its fields mean is told in another file.
 */


#include "ngx_http_egress_forward.h"


static ngx_int_t ngx_http_egress_forward_status_line(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_fields(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_make_room(
    ngx_http_egress_forward_t *fwd, u_char *line);
static ngx_int_t ngx_http_egress_forward_add_field(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_final(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_interim(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_send_interim(
    ngx_http_egress_forward_t *fwd);
static u_char *ngx_http_egress_forward_print_interim(
    ngx_http_egress_forward_t *fwd, u_char *p, size_t *len);
static void ngx_http_egress_forward_interim_writer(ngx_http_request_t *r);
static ngx_int_t ngx_http_egress_forward_invalid(
    ngx_http_egress_forward_t *fwd, const char *what);


/* Before the first byte of an answer, and between interim ones. */

ngx_int_t
ngx_http_egress_forward_reset(ngx_http_egress_forward_t *fwd)
{
    ngx_memzero(&fwd->status, sizeof(ngx_http_status_t));

    fwd->request->state = 0;
    fwd->head = 0;
    fwd->head_out = 0;
    fwd->status_done = 0;

    return ngx_list_init(&fwd->fields, fwd->request->pool, 8,
                         sizeof(ngx_table_elt_t));
}


ngx_int_t
ngx_http_egress_forward_process_header(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_egress_ctx_t      *ctx;
    ngx_http_egress_forward_t  *fwd;

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);
    fwd = ctx->forward;

    for ( ;; ) {

        if (!fwd->status_done) {
            rc = ngx_http_egress_forward_status_line(fwd);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        rc = ngx_http_egress_forward_fields(fwd);

        if (rc != NGX_OK) {
            return rc;
        }

        if (fwd->status.code >= NGX_HTTP_OK
            || fwd->status.code == NGX_HTTP_SWITCHING_PROTOCOLS)
        {
            return ngx_http_egress_forward_final(fwd);
        }

        rc = ngx_http_egress_forward_interim(fwd);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_http_egress_forward_status_line(ngx_http_egress_forward_t *fwd)
{
    u_char               *p;
    size_t                len;
    ngx_int_t             rc;
    ngx_http_status_t    *status;
    ngx_http_upstream_t  *u;

    u = fwd->request->upstream;
    status = &fwd->status;

    rc = ngx_http_parse_status_line(fwd->request, &u->buffer, status);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR
        || status->http_version / 1000 != 1
        || status->code < NGX_HTTP_CONTINUE)
    {
        return ngx_http_egress_forward_invalid(fwd, "no valid HTTP/1 status");
    }

    len = status->end - status->start;

    p = ngx_pnalloc(fwd->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, status->start, len);

    fwd->request->state = 0;
    fwd->status_done = 1;

    u->headers_in.status_n = status->code;
    u->headers_in.status_line.data = p;
    u->headers_in.status_line.len = len;

    if (u->state) {
        u->state->status = status->code;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_fields(ngx_http_egress_forward_t *fwd)
{
    u_char              *line;
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_http_request_t  *r;

    r = fwd->request;
    b = &r->upstream->buffer;

    for ( ;; ) {
        line = r->state ? r->header_name_start : b->pos;

        rc = ngx_http_parse_header_line(r, b, 1);

        if (rc == NGX_AGAIN) {
            return ngx_http_egress_forward_make_room(fwd, line);
        }

        if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK || r->header_start == r->header_name_end) {
            return ngx_http_egress_forward_invalid(fwd, "invalid header line");
        }

        fwd->head += b->pos - line;

        if (fwd->head > NGX_HTTP_EGRESS_MAX_HEAD) {
            return ngx_http_egress_forward_invalid(fwd, "too large head");
        }

        /* names that are not even tokens are not worth being understood */

        if (r->invalid_header) {
            continue;
        }

        if (ngx_http_egress_forward_add_field(fwd) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* Lines that were read are copied: only the last one needs the buffer. */

static ngx_int_t
ngx_http_egress_forward_make_room(ngx_http_egress_forward_t *fwd,
    u_char *line)
{
    ngx_buf_t  *b;

    b = &fwd->request->upstream->buffer;

    if (b->last == b->end && line != b->start) {
        b->last = ngx_movemem(b->start, line, b->last - line);
        b->pos = b->start;

        /* that line is parsed again from its first byte */

        fwd->request->state = 0;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_egress_forward_add_field(ngx_http_egress_forward_t *fwd)
{
    u_char              *p;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = fwd->request;

    h = ngx_list_push(&fwd->fields);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = r->header_hash;
    h->key.len = r->header_name_end - r->header_name_start;
    h->value.len = r->header_end - r->header_start;

    p = ngx_pnalloc(r->pool, h->key.len + 1 + h->value.len + 1 + h->key.len);
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

    if (h->key.len == r->lowcase_index) {
        ngx_memcpy(p, r->lowcase_header, h->key.len);

    } else {
        ngx_strlow(p, h->key.data, h->key.len);
    }

    ngx_egress_header_end(h);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "http egress response field: \"%V: %V\"",
                   &h->key, &h->value);

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_final(ngx_http_egress_forward_t *fwd)
{
    ngx_int_t  rc;

    rc = ngx_http_egress_forward_framing(fwd);

    if (rc == NGX_OK) {
        rc = ngx_http_egress_forward_publish(fwd);
    }

    if (rc == NGX_DECLINED) {
        fwd->reason = NGX_EGRESS_UPSTREAM_INVALID;
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    return rc;
}


static ngx_int_t
ngx_http_egress_forward_interim(ngx_http_egress_forward_t *fwd)
{
    ngx_buf_t           *b;
    ngx_http_request_t  *r;

    r = fwd->request;
    b = &r->upstream->buffer;

    fwd->interim += r->upstream->headers_in.status_line.len + fwd->head
                    + sizeof("HTTP/1.1 " CRLF CRLF) - 1;

    if (fwd->interim > NGX_HTTP_EGRESS_MAX_HEAD) {
        return ngx_http_egress_forward_invalid(fwd,
                                               "too many interim responses");
    }

    if (r->http_version >= NGX_HTTP_VERSION_11
        && ngx_http_egress_forward_send_interim(fwd) != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->last = ngx_movemem(b->start, b->pos, b->last - b->pos);
    b->pos = b->start;

    r->upstream->headers_in.status_n = 0;
    ngx_str_null(&r->upstream->headers_in.status_line);

    return ngx_http_egress_forward_reset(fwd);
}


static ngx_int_t
ngx_http_egress_forward_send_interim(ngx_http_egress_forward_t *fwd)
{
    size_t               len;
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = fwd->request;
    c = r->connection;

    rc = ngx_http_egress_nominate(r->pool, &fwd->fields,
                                  &fwd->nominated_back);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    len = 0;
    (void) ngx_http_egress_forward_print_interim(fwd, NULL, &len);

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_http_egress_forward_print_interim(fwd, b->last, &len);
    b->flush = 1;

    out.buf = b;
    out.next = NULL;

    if (ngx_http_write_filter(r, &out) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (c->buffered) {
        r->write_event_handler = ngx_http_egress_forward_interim_writer;

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Counts with p == NULL, writes otherwise. */

static u_char *
ngx_http_egress_forward_print_interim(ngx_http_egress_forward_t *fwd,
    u_char *p, size_t *len)
{
    ngx_str_t        *status;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    status = &fwd->request->upstream->headers_in.status_line;

    if (p) {
        p = ngx_sprintf(p, "HTTP/1.1 %V" CRLF, status);

    } else {
        *len = sizeof("HTTP/1.1 " CRLF CRLF) - 1 + status->len;
    }

    ngx_http_egress_each_header(&fwd->fields, part, i, h) {

        if (!ngx_http_egress_forward_passes(fwd, h)) {
            continue;
        }

        if (p) {
            p = ngx_sprintf(p, "%V: %V" CRLF, &h->key, &h->value);

        } else {
            *len += h->key.len + h->value.len + sizeof(": " CRLF) - 1;
        }
    }

    return p ? ngx_cpymem(p, CRLF, 2) : NULL;
}


static void
ngx_http_egress_forward_interim_writer(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (ngx_http_write_filter(r, NULL) == NGX_ERROR) {
        ngx_http_egress_forward_gone(r);
        return;
    }

    if (!c->buffered) {
        r->write_event_handler = ngx_http_request_empty_handler;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_egress_forward_gone(r);
    }
}


static ngx_int_t
ngx_http_egress_forward_invalid(ngx_http_egress_forward_t *fwd,
    const char *what)
{
    ngx_log_error(NGX_LOG_ERR, fwd->request->connection->log, 0,
                  "origin sent %s", what);

    fwd->reason = NGX_EGRESS_UPSTREAM_INVALID;

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}
