
/*
 * Copyright (C) ngx_egress authors
 *
 * A reason becomes an answer: status, Proxy-Status (RFC 9209) and a short
 * page.  Tells the client the reason and nothing else; addresses are for the
 * log.
 */


#include "ngx_http_egress.h"


#define NGX_HTTP_EGRESS_PAGE                                                  \
    "<html>" CRLF                                                             \
    "<head><title>%ui %V</title></head>" CRLF                                 \
    "<body><h1>%ui %V</h1></body>" CRLF                                       \
    "</html>" CRLF


static ngx_uint_t ngx_http_egress_has_error_page(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_egress_send_page(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_egress_reason_t *row);
static ngx_table_elt_t *ngx_http_egress_find_header_out(
    ngx_http_request_t *r, ngx_str_t *key);


static ngx_str_t  ngx_http_egress_proxy_status_key =
    ngx_string("Proxy-Status");


ngx_int_t
ngx_http_egress_error(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx,
    ngx_uint_t reason)
{
    ngx_uint_t                   status;
    const ngx_egress_reason_t   *row;
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_egress_module);

    ngx_egress_task_close(ctx->task, reason);

    /* the first reason of a task is the one that counts */

    reason = ctx->task->reason;
    row = ngx_egress_reason(reason);

    status = elcf->extended ? row->extended : row->status;

    if (reason == NGX_EGRESS_CLIENT_ABORTED || r->connection->error) {
        return NGX_HTTP_CLIENT_CLOSED_REQUEST;
    }

    if (ctx->connect) {
        r->keepalive = 0;
    }

    if (r->headers_in.expect && !r->expect_tested) {

        /* no 100 before a refusal; the body may come or not: nobody knows */

        r->expect_tested = 1;
        r->keepalive = 0;
    }

    if (ngx_http_egress_proxy_status(r, reason) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_egress_has_error_page(r, status)) {
        return status;
    }

    return ngx_http_egress_send_page(r, status, row);
}


ngx_int_t
ngx_http_egress_proxy_status(ngx_http_request_t *r, ngx_uint_t reason)
{
    u_char                      *p;
    size_t                       len;
    ngx_table_elt_t             *h;
    const ngx_egress_reason_t   *row;
    ngx_http_egress_loc_conf_t  *elcf;

    row = ngx_egress_reason(reason);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_egress_module);

    h = ngx_http_egress_find_header_out(r, &ngx_http_egress_proxy_status_key);

    if (h == NULL) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        h->key = ngx_http_egress_proxy_status_key;
        ngx_egress_header_end(h);
    }

    len = elcf->server_id.len + sizeof("; error=; details=\"\"")
          + row->proxy_status.len + row->text.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    h->value.data = p;

    p = ngx_cpymem(p, elcf->server_id.data, elcf->server_id.len);

    if (row->proxy_status.len) {
        p = ngx_sprintf(p, "; error=%V", &row->proxy_status);
    }

    p = ngx_sprintf(p, "; details=\"%V\"", &row->text);

    h->value.len = p - h->value.data;

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_egress_find_header_out(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash
                && h[i].key.len == key->len
                && ngx_strncasecmp(h[i].key.data, key->data, key->len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/* will the core replace this status by a page of the configuration? */

static ngx_uint_t
ngx_http_egress_has_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->error_page || r->uri_changes == 0) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_egress_send_page(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_egress_reason_t *row)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    b = ngx_create_temp_buf(r->pool, sizeof(NGX_HTTP_EGRESS_PAGE)
                                     + 2 * (NGX_INT_T_LEN + row->text.len));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, NGX_HTTP_EGRESS_PAGE,
                          status, &row->text, status, &row->text);
    b->last_buf = 1;
    b->last_in_chain = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "text/html");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
