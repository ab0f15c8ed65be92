
/*
 * Copyright (C) ngx_egress authors
 *
 * What the fields of a response mean: how its body ends, what becomes of the
 * connection, and which of them the client gets.  Where two readers could see
 * two different ends, there is no answer.
 */


#include "ngx_http_egress_forward.h"


static ngx_int_t ngx_http_egress_forward_read_field(
    ngx_http_egress_forward_t *fwd, ngx_table_elt_t *h, ngx_uint_t *chunked);
static ngx_int_t ngx_http_egress_forward_read_length(
    ngx_http_egress_forward_t *fwd, ngx_str_t *value);
static ngx_int_t ngx_http_egress_forward_upgraded(
    ngx_http_egress_forward_t *fwd);
static ngx_uint_t ngx_http_egress_forward_no_body(
    ngx_http_egress_forward_t *fwd);
static ngx_int_t ngx_http_egress_forward_publish_field(
    ngx_http_egress_forward_t *fwd, ngx_table_elt_t *field);
static ngx_int_t ngx_http_egress_forward_publish_via(
    ngx_http_egress_forward_t *fwd);
static ngx_uint_t ngx_http_egress_forward_names_us(
    ngx_http_egress_forward_t *fwd, ngx_str_t *proxy_status);


ngx_int_t
ngx_http_egress_forward_framing(ngx_http_egress_forward_t *fwd)
{
    ngx_int_t             rc;
    ngx_uint_t            i, chunked;
    ngx_list_part_t      *part;
    ngx_table_elt_t      *h;
    ngx_http_upstream_t  *u;

    u = fwd->request->upstream;

    rc = ngx_http_egress_nominate(fwd->request->pool, &fwd->fields,
                                  &fwd->nominated_back);
    if (rc != NGX_OK) {
        return rc;
    }

    chunked = 0;
    u->headers_in.content_length_n = -1;

    ngx_http_egress_each_header(&fwd->fields, part, i, h) {
        rc = ngx_http_egress_forward_read_field(fwd, h, &chunked);

        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, fwd->request->connection->log, 0,
                          "origin sent invalid framing: \"%V: %V\"",
                          &h->key, &h->value);
            return rc;
        }
    }

    if (chunked && (u->headers_in.content_length_n != -1
                    || fwd->status.http_version < NGX_HTTP_VERSION_11))
    {
        ngx_log_error(NGX_LOG_ERR, fwd->request->connection->log, 0,
                      "origin sent \"Transfer-Encoding\" with "
                      "\"Content-Length\" or HTTP/1.0");
        return NGX_DECLINED;
    }

    fwd->chunked = chunked;
    fwd->close = fwd->nominated_back.close
                 || (fwd->status.http_version < NGX_HTTP_VERSION_11
                     && !fwd->nominated_back.keep_alive);

    if (fwd->status.code == NGX_HTTP_SWITCHING_PROTOCOLS) {
        return ngx_http_egress_forward_upgraded(fwd);
    }

    if (fwd->status.code == NGX_HTTP_NO_CONTENT) {
        u->headers_in.content_length_n = -1;
    }

    u->keepalive = ngx_http_egress_forward_no_body(fwd) && !fwd->close;
    fwd->excess = u->keepalive && u->buffer.pos != u->buffer.last;

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_read_field(ngx_http_egress_forward_t *fwd,
    ngx_table_elt_t *h, ngx_uint_t *chunked)
{
    ngx_str_t  value;

    value = h->value;

    switch (ngx_http_egress_header(h->lowcase_key, h->key.len)) {

    case NGX_HTTP_EGRESS_CONTENT_LENGTH:
        ngx_http_egress_trim(&value);
        return ngx_http_egress_forward_read_length(fwd, &value);

    case NGX_HTTP_EGRESS_TRANSFER_ENCODING:
        ngx_http_egress_trim(&value);

        if (*chunked
            || value.len != sizeof("chunked") - 1
            || ngx_strncasecmp(value.data, (u_char *) "chunked", value.len)
               != 0)
        {
            return NGX_DECLINED;
        }

        *chunked = 1;
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


/* The same length may be said twice. */

static ngx_int_t
ngx_http_egress_forward_read_length(ngx_http_egress_forward_t *fwd,
    ngx_str_t *value)
{
    off_t                            length;
    ngx_http_upstream_headers_in_t  *in;

    in = &fwd->request->upstream->headers_in;

    length = ngx_atoof(value->data, value->len);

    if (length == NGX_ERROR
        || (in->content_length_n != -1 && in->content_length_n != length))
    {
        return NGX_DECLINED;
    }

    in->content_length_n = length;

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_upgraded(ngx_http_egress_forward_t *fwd)
{
    ngx_http_upstream_t  *u;

    u = fwd->request->upstream;

    if (!fwd->upgrade || fwd->chunked) {
        ngx_log_error(NGX_LOG_ERR, fwd->request->connection->log, 0,
                      "origin switched protocols unasked");
        return NGX_DECLINED;
    }

    u->upgrade = 1;
    u->headers_in.content_length_n = -1;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_egress_forward_no_body(ngx_http_egress_forward_t *fwd)
{
    return fwd->request->method == NGX_HTTP_HEAD
           || fwd->status.code == NGX_HTTP_NO_CONTENT
           || fwd->status.code == NGX_HTTP_NOT_MODIFIED
           || fwd->request->upstream->headers_in.content_length_n == 0;
}


ngx_int_t
ngx_http_egress_forward_publish(ngx_http_egress_forward_t *fwd)
{
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = fwd->request;

    /* a proxy is no server: the core's own Server must not be added */

    r->headers_out.server = &fwd->no_server;

    ngx_http_egress_each_header(&fwd->fields, part, i, h) {

        if (ngx_http_egress_forward_passes(fwd, h)
            && ngx_http_egress_forward_publish_field(fwd, h) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (fwd->conf->via) {
        return ngx_http_egress_forward_publish_via(fwd);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_egress_forward_passes(ngx_http_egress_forward_t *fwd,
    ngx_table_elt_t *h)
{
    switch (ngx_http_egress_header(h->lowcase_key, h->key.len)) {

    case NGX_HTTP_EGRESS_HOP_BY_HOP:
    case NGX_HTTP_EGRESS_CONNECTION:
    case NGX_HTTP_EGRESS_TRANSFER_ENCODING:
    case NGX_HTTP_EGRESS_TE:
        return 0;

    case NGX_HTTP_EGRESS_UPGRADE:
        return fwd->request->upstream->upgrade;

    case NGX_HTTP_EGRESS_TRAILER:
        return fwd->trailers && fwd->chunked;

    case NGX_HTTP_EGRESS_CONTENT_LENGTH:
        return fwd->status.code >= NGX_HTTP_OK
               && fwd->status.code != NGX_HTTP_NO_CONTENT;

    case NGX_HTTP_EGRESS_PROXY_STATUS:
        return !ngx_http_egress_forward_names_us(fwd, &h->value);

    default:
        break;
    }

    return !ngx_http_egress_is_path_header(fwd->request, h)
           && !ngx_http_egress_is_nominated(&fwd->nominated_back, &h->key);
}


/* Nobody behind us may speak in our name. */

static ngx_uint_t
ngx_http_egress_forward_names_us(ngx_http_egress_forward_t *fwd,
    ngx_str_t *proxy_status)
{
    u_char                      *p;
    ngx_str_t                    member, *id;
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(fwd->request, ngx_http_egress_module);
    id = &elcf->server_id;

    p = proxy_status->data;

    while (ngx_http_egress_list_next(&p,
                                     proxy_status->data + proxy_status->len,
                                     &member)
           == NGX_OK)
    {
        if (member.len >= id->len
            && ngx_strncasecmp(member.data, id->data, id->len) == 0
            && (member.len == id->len
                || member.data[id->len] == ';'
                || member.data[id->len] == ' '))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_egress_forward_publish_field(ngx_http_egress_forward_t *fwd,
    ngx_table_elt_t *field)
{
    ngx_table_elt_t                *h;
    ngx_http_request_t             *r;
    ngx_http_upstream_t            *u;
    ngx_http_upstream_header_t     *hh;
    ngx_http_upstream_main_conf_t  *umcf;

    r = fwd->request;
    u = r->upstream;

    /* a length that was said twice is said once */

    if (u->headers_in.content_length
        && ngx_http_egress_header(field->lowcase_key, field->key.len)
           == NGX_HTTP_EGRESS_CONTENT_LENGTH)
    {
        return NGX_OK;
    }

    h = ngx_list_push(&u->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = *field;

    umcf = ngx_http_get_module_main_conf(r, ngx_http_upstream_module);

    hh = ngx_hash_find(&umcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    return hh ? hh->handler(r, h, hh->offset) : NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_publish_via(ngx_http_egress_forward_t *fwd)
{
    u_char                      *p;
    ngx_table_elt_t              via;
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(fwd->request, ngx_http_egress_module);

    ngx_memzero(&via, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(fwd->request->pool,
                    sizeof("1.1 ") - 1 + elcf->server_id.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    via.hash = ngx_hash_key((u_char *) "via", 3);
    ngx_str_set(&via.key, "Via");
    via.lowcase_key = (u_char *) "via";
    via.value.data = p;

    p = ngx_sprintf(p, "1.%d %V", fwd->status.http_version % 1000 != 0,
                    &elcf->server_id);

    via.value.len = p - via.value.data;

    return ngx_http_egress_forward_publish_field(fwd, &via);
}
