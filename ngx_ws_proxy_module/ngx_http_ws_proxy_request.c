
/*
 * Copyright (C) ngx_egress authors
 *
 * The opening handshake for the backend: the client's headers without those
 * of its connection, the forwarding headers, and ws_proxy_set_header.
 */


#include <ngx_http_ws_proxy.h>


typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;
} ngx_http_ws_proxy_field_t;


static ngx_int_t ngx_http_ws_proxy_own_fields(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_array_t *fields);
static ngx_int_t ngx_http_ws_proxy_client_fields(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_array_t *fields);
static ngx_int_t ngx_http_ws_proxy_set_fields(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_array_t *fields);
static ngx_int_t ngx_http_ws_proxy_forwarded_for(ngx_http_request_t *r,
    ngx_str_t *value);
static ngx_uint_t ngx_http_ws_proxy_is_set(ngx_http_ws_proxy_loc_conf_t *conf,
    ngx_str_t *lowcase);
static ngx_uint_t ngx_http_ws_proxy_is_hop(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_int_t ngx_http_ws_proxy_push(ngx_array_t *fields, ngx_str_t *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_ws_proxy_write_request(ngx_http_request_t *r,
    ngx_str_t *uri, ngx_array_t *fields);


/* fields of the connection, and those that we write ourselves */

static ngx_str_t  ngx_http_ws_proxy_hop_fields[] = {
    ngx_string("host"),
    ngx_string("upgrade"),
    ngx_string("connection"),
    ngx_string("keep-alive"),
    ngx_string("proxy-connection"),
    ngx_string("proxy-authorization"),
    ngx_string("content-length"),
    ngx_string("transfer-encoding"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("expect"),
    ngx_string("http2-settings"),
    ngx_string("x-forwarded-for"),
    ngx_string("x-forwarded-host"),
    ngx_string("x-forwarded-proto"),
    ngx_null_string
};

static ngx_str_t  ngx_http_ws_proxy_host = ngx_string("Host");
static ngx_str_t  ngx_http_ws_proxy_xff = ngx_string("X-Forwarded-For");
static ngx_str_t  ngx_http_ws_proxy_xfh = ngx_string("X-Forwarded-Host");
static ngx_str_t  ngx_http_ws_proxy_xfp = ngx_string("X-Forwarded-Proto");


ngx_int_t
ngx_http_ws_proxy_create_request(ngx_http_request_t *r)
{
    ngx_str_t                 uri;
    ngx_array_t               fields;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (ngx_http_ws_proxy_uri(r, ctx, &uri) != NGX_OK) {
        return NGX_ERROR;
    }

    r->upstream->uri = uri;

    if (ngx_array_init(&fields, r->pool, 16,
                       sizeof(ngx_http_ws_proxy_field_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ws_proxy_own_fields(r, ctx, &fields) != NGX_OK
        || ngx_http_ws_proxy_set_fields(r, ctx, &fields) != NGX_OK
        || ngx_http_ws_proxy_client_fields(r, ctx, &fields) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ws_proxy_write_request(r, &uri, &fields);
}


static ngx_int_t
ngx_http_ws_proxy_own_fields(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_array_t *fields)
{
    ngx_str_t                     *host, value, lowcase;
    ngx_http_ws_proxy_loc_conf_t  *conf;

    conf = ctx->conf;
    host = r->headers_in.host ? &r->headers_in.host->value : NULL;

    ngx_str_set(&lowcase, "host");

    if (!ngx_http_ws_proxy_is_set(conf, &lowcase)
        && ngx_http_ws_proxy_push(fields, &ngx_http_ws_proxy_host,
                                  (conf->keep_host && host) ? host
                                                            : &ctx->url.host)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&lowcase, "x-forwarded-for");

    if (!ngx_http_ws_proxy_is_set(conf, &lowcase)) {

        if (ngx_http_ws_proxy_forwarded_for(r, &value) != NGX_OK
            || ngx_http_ws_proxy_push(fields, &ngx_http_ws_proxy_xff, &value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&lowcase, "x-forwarded-host");

    if (host && !ngx_http_ws_proxy_is_set(conf, &lowcase)
        && ngx_http_ws_proxy_push(fields, &ngx_http_ws_proxy_xfh, host)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&lowcase, "x-forwarded-proto");

    if (ngx_http_ws_proxy_is_set(conf, &lowcase)) {
        return NGX_OK;
    }

    ngx_str_set(&value, "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&value, "https");
    }
#endif

    return ngx_http_ws_proxy_push(fields, &ngx_http_ws_proxy_xfp, &value);
}


/* "a, b" of the client with the client's own address behind */

static ngx_int_t
ngx_http_ws_proxy_forwarded_for(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char           *p;
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = r->connection->addr_text.len;
    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len == ngx_http_ws_proxy_xff.len
            && ngx_strncmp(h->lowcase_key, "x-forwarded-for", h->key.len) == 0)
        {
            len += h->value.len + 2;
        }
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = len;

    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len == ngx_http_ws_proxy_xff.len
            && ngx_strncmp(h->lowcase_key, "x-forwarded-for", h->key.len) == 0)
        {
            p = ngx_cpymem(p, h->value.data, h->value.len);
            *p++ = ',';
            *p++ = ' ';
        }
    }

    ngx_memcpy(p, r->connection->addr_text.data,
               r->connection->addr_text.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_set_fields(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_array_t *fields)
{
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_http_ws_proxy_header_t  *header;

    if (ctx->conf->headers == NULL) {
        return NGX_OK;
    }

    header = ctx->conf->headers->elts;

    for (i = 0; i < ctx->conf->headers->nelts; i++) {

        if (ngx_http_complex_value(r, &header[i].value, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len
            && ngx_http_ws_proxy_push(fields, &header[i].name, &value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_client_fields(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_array_t *fields)
{
    ngx_str_t         lowcase;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        lowcase.data = h->lowcase_key;
        lowcase.len = h->key.len;

        if (ngx_http_ws_proxy_is_hop(r, h)
            || ngx_http_ws_proxy_is_set(ctx->conf, &lowcase))
        {
            continue;
        }

        if (lowcase.len == sizeof("sec-websocket-extensions") - 1
            && ngx_strncmp(lowcase.data, "sec-websocket-extensions",
                           lowcase.len)
               == 0)
        {
            if (!ctx->conf->extensions) {
                continue;
            }

            ctx->offered = 1;
        }

        if (ngx_http_ws_proxy_push(fields, &h->key, &h->value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ws_proxy_is_hop(ngx_http_request_t *r, ngx_table_elt_t *field)
{
    char             *name;
    ngx_str_t        *hop;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (hop = ngx_http_ws_proxy_hop_fields; hop->len; hop++) {

        if (field->key.len == hop->len
            && ngx_strncmp(field->lowcase_key, hop->data, hop->len) == 0)
        {
            return 1;
        }
    }

    /* what the handshake itself needs cannot be named away */

    if (field->key.len > 14
        && ngx_strncmp(field->lowcase_key, "sec-websocket-", 14) == 0)
    {
        return 0;
    }

    /* core ends both the name and the value of a field with a zero */

    name = (char *) field->key.data;
    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len == sizeof("connection") - 1
            && ngx_strncmp(h->lowcase_key, "connection", h->key.len) == 0
            && ngx_ws_has_token(&h->value, name))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_ws_proxy_is_set(ngx_http_ws_proxy_loc_conf_t *conf,
    ngx_str_t *lowcase)
{
    ngx_uint_t                   i;
    ngx_http_ws_proxy_header_t  *header;

    if (conf->headers == NULL) {
        return 0;
    }

    header = conf->headers->elts;

    for (i = 0; i < conf->headers->nelts; i++) {

        if (header[i].lowcase.len == lowcase->len
            && ngx_strncmp(header[i].lowcase.data, lowcase->data,
                           lowcase->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_ws_proxy_push(ngx_array_t *fields, ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_ws_proxy_field_t  *field;

    field = ngx_array_push(fields);
    if (field == NULL) {
        return NGX_ERROR;
    }

    field->name = *name;
    field->value = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_write_request(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_array_t *fields)
{
    size_t                      len;
    ngx_buf_t                  *b;
    ngx_uint_t                  i;
    ngx_chain_t                *cl;
    ngx_http_ws_proxy_field_t  *field;

    static u_char  version[] = " HTTP/1.1" CRLF
                               "Connection: Upgrade" CRLF
                               "Upgrade: websocket" CRLF;

    field = fields->elts;
    len = sizeof("GET ") - 1 + uri->len + sizeof(version) - 1 + 2;

    for (i = 0; i < fields->nelts; i++) {
        len += field[i].name.len + 2 + field[i].value.len + 2;
    }

    b = ngx_create_temp_buf(r->pool, len);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, "GET ", sizeof("GET ") - 1);
    b->last = ngx_cpymem(b->last, uri->data, uri->len);
    b->last = ngx_cpymem(b->last, version, sizeof(version) - 1);

    for (i = 0; i < fields->nelts; i++) {
        b->last = ngx_cpymem(b->last, field[i].name.data, field[i].name.len);
        *b->last++ = ':'; *b->last++ = ' ';
        b->last = ngx_cpymem(b->last, field[i].value.data,
                             field[i].value.len);
        *b->last++ = CR; *b->last++ = LF;
    }

    *b->last++ = CR; *b->last++ = LF;

    b->flush = 1;
    cl->buf = b;
    cl->next = NULL;
    r->upstream->request_bufs = cl;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "ws proxy asks for \"%V\"", uri);

    return NGX_OK;
}


ngx_int_t
ngx_http_ws_proxy_reinit_request(ngx_http_request_t *r)
{
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    ngx_memzero(&ctx->status, sizeof(ngx_http_status_t));
    ngx_memzero(&ctx->chunked, sizeof(ngx_http_chunked_t));
    ngx_memzero(&ctx->accepted, sizeof(ngx_ws_extensions_t));

    r->upstream->process_header = ngx_http_ws_proxy_process_status;
    r->state = 0;

    return NGX_OK;
}
