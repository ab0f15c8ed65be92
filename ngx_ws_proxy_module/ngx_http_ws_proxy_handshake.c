
/*
 * Copyright (C) ngx_egress authors
 *
 * Judges the client's opening handshake (RFC 6455, 4.2.1) and its Origin.
 */


#include <ngx_http_ws_proxy.h>


static ngx_uint_t ngx_http_ws_proxy_header_has(ngx_http_request_t *r,
    const char *lowcase, const char *token);
static ngx_int_t ngx_http_ws_proxy_refuse(ngx_http_request_t *r,
    const char *reason);
static ngx_int_t ngx_http_ws_proxy_check_key(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx);
static ngx_int_t ngx_http_ws_proxy_check_origin(ngx_http_request_t *r,
    ngx_http_ws_proxy_loc_conf_t *conf);
static ngx_uint_t ngx_http_ws_proxy_same_origin(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_uint_t ngx_http_ws_proxy_match_origin(
    ngx_http_ws_proxy_origin_t *o, ngx_str_t *origin);
static ngx_int_t ngx_http_ws_proxy_add_header(ngx_http_request_t *r,
    const char *name, const char *value);


ngx_int_t
ngx_http_ws_proxy_handshake(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_table_elt_t  *h;

    if (!ngx_http_ws_proxy_header_has(r, "upgrade", "websocket")) {
        return NGX_DECLINED;
    }

    if (r->method != NGX_HTTP_GET) {
        return ngx_http_ws_proxy_refuse(r, "method is not GET");
    }

    /* HTTP/2 and newer have no Upgrade, nor a connection to take over */

    if (r->http_version < NGX_HTTP_VERSION_11
        || r->http_version >= NGX_HTTP_VERSION_20)
    {
        return ngx_http_ws_proxy_refuse(r, "version of HTTP is not 1.1");
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return ngx_http_ws_proxy_refuse(r, "request has a body");
    }

    if (!ngx_http_ws_proxy_header_has(r, "connection", "upgrade")) {
        return ngx_http_ws_proxy_refuse(r, "no \"upgrade\" in Connection");
    }

    h = ngx_http_ws_proxy_header_in(r, "sec-websocket-version");

    if (h == NULL) {
        return ngx_http_ws_proxy_refuse(r, "no Sec-WebSocket-Version");
    }

    if (h->value.len != 2 || ngx_strncmp(h->value.data, "13", 2) != 0) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "websocket version \"%V\" is not supported", &h->value);
        return ngx_http_ws_proxy_upgrade_required(r);
    }

    rc = ngx_http_ws_proxy_check_key(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ws_proxy_check_origin(r, ctx->conf);
}


/* a list may be spread over several fields */

static ngx_uint_t
ngx_http_ws_proxy_header_has(ngx_http_request_t *r, const char *lowcase,
    const char *token)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(lowcase);
    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len == len
            && ngx_strncmp(h->lowcase_key, lowcase, len) == 0
            && ngx_ws_has_token(&h->value, token))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_ws_proxy_refuse(ngx_http_request_t *r, const char *reason)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent invalid websocket handshake: %s", reason);

    return NGX_HTTP_BAD_REQUEST;
}


static ngx_int_t
ngx_http_ws_proxy_check_key(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len != sizeof("sec-websocket-key") - 1
            || ngx_strncmp(h->lowcase_key, "sec-websocket-key", h->key.len)
               != 0)
        {
            continue;
        }

        if (ctx->key.data) {
            return ngx_http_ws_proxy_refuse(r, "two Sec-WebSocket-Key");
        }

        ctx->key = h->value;
    }

    if (!ngx_ws_key_valid(&ctx->key)) {
        return ngx_http_ws_proxy_refuse(r, "no valid Sec-WebSocket-Key");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ws_proxy_check_origin(ngx_http_request_t *r,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_table_elt_t             *h;
    ngx_http_ws_proxy_origin_t  *o;

    if (conf->origins == NULL) {
        return NGX_OK;
    }

    h = ngx_http_ws_proxy_header_in(r, "origin");

    if (h == NULL) {

        if (conf->origin_none) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "websocket handshake without Origin is not allowed");
        return NGX_HTTP_FORBIDDEN;
    }

    if (conf->origin_same && ngx_http_ws_proxy_same_origin(r, &h->value)) {
        return NGX_OK;
    }

    o = conf->origins->elts;

    for (i = 0; i < conf->origins->nelts; i++) {

        if (ngx_http_ws_proxy_match_origin(&o[i], &h->value)) {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "websocket handshake from origin \"%V\" is not allowed",
                  &h->value);

    return NGX_HTTP_FORBIDDEN;
}


static ngx_uint_t
ngx_http_ws_proxy_same_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    u_char           *p;
    ngx_str_t         host;
    ngx_table_elt_t  *h;

    h = r->headers_in.host;
    p = ngx_strlcasestrn(origin->data, origin->data + origin->len,
                         (u_char *) "://", sizeof("://") - 1 - 1);

    if (h == NULL || p == NULL) {
        return 0;
    }

    host.data = p + 3;
    host.len = origin->data + origin->len - host.data;

    return host.len == h->value.len
           && ngx_strncasecmp(host.data, h->value.data, host.len) == 0;
}


static ngx_uint_t
ngx_http_ws_proxy_match_origin(ngx_http_ws_proxy_origin_t *o,
    ngx_str_t *origin)
{
    u_char  *p, *last;

#if (NGX_PCRE)
    if (o->regex) {
        return ngx_regex_exec(o->regex, origin, NULL, 0) >= 0;
    }
#endif

    if (!o->wildcard) {
        return origin->len == o->prefix.len
               && ngx_strncasecmp(origin->data, o->prefix.data, origin->len)
                  == 0;
    }

    if (origin->len <= o->prefix.len + o->suffix.len) {
        return 0;
    }

    last = origin->data + origin->len - o->suffix.len;

    if (ngx_strncasecmp(origin->data, o->prefix.data, o->prefix.len) != 0
        || ngx_strncasecmp(last, o->suffix.data, o->suffix.len) != 0)
    {
        return 0;
    }

    /* the asterisk stands for labels of a name, not for "evil.org/" */

    for (p = origin->data + o->prefix.len; p < last; p++) {

        if ((*p < 'a' || *p > 'z') && (*p < 'A' || *p > 'Z')
            && (*p < '0' || *p > '9') && *p != '-' && *p != '.' && *p != '_')
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_ws_proxy_upgrade_required(ngx_http_request_t *r)
{
    if (ngx_http_ws_proxy_add_header(r, "Sec-WebSocket-Version", "13")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* HTTP/2 and newer know neither Upgrade nor Connection */

    if (r->http_version < NGX_HTTP_VERSION_20
        && (ngx_http_ws_proxy_add_header(r, "Upgrade", "websocket") != NGX_OK
            || ngx_http_ws_proxy_add_header(r, "Connection", "Upgrade")
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return 426;
}


static ngx_int_t
ngx_http_ws_proxy_add_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_ws_header_end(h);
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_ws_proxy_header_in(ngx_http_request_t *r, const char *lowcase)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(lowcase);
    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_ws_proxy_header_next(&part, &i)) != NULL) {

        if (h->key.len == len
            && ngx_strncmp(h->lowcase_key, lowcase, len) == 0)
        {
            return h;
        }
    }

    return NULL;
}


ngx_table_elt_t *
ngx_http_ws_proxy_header_next(ngx_list_part_t **part, ngx_uint_t *i)
{
    ngx_table_elt_t  *h;

    while (*i >= (*part)->nelts) {

        if ((*part)->next == NULL) {
            return NULL;
        }

        *part = (*part)->next;
        *i = 0;
    }

    h = (*part)->elts;

    return &h[(*i)++];
}
