
/*
 * Copyright (C) ngx_egress authors
 *
 * The URL of ws_proxy_pass: schemes, default ports, variables, and the URI
 * that the backend is asked for.
 */


#include <ngx_http_ws_proxy.h>


typedef struct {
    ngx_str_t                   schema;
    in_port_t                   port;
    ngx_uint_t                  ssl;
} ngx_http_ws_proxy_schema_t;


static ngx_int_t ngx_http_ws_proxy_slash(ngx_pool_t *pool, ngx_str_t *uri);
static ngx_int_t ngx_http_ws_proxy_replace(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_str_t *uri);


static ngx_http_ws_proxy_schema_t  ngx_http_ws_proxy_schemas[] = {
    { ngx_string("ws://"), 80, 0 },
    { ngx_string("wss://"), 443, 1 },
    { ngx_string("http://"), 80, 0 },
    { ngx_string("https://"), 443, 1 },
    { ngx_null_string, 0, 0 }
};


ngx_int_t
ngx_http_ws_proxy_url(ngx_pool_t *pool, ngx_str_t *text, ngx_url_t *u,
    ngx_http_ws_proxy_url_t *url, const char **err)
{
    ngx_http_ws_proxy_schema_t  *s;

    *err = NULL;

    for (s = ngx_http_ws_proxy_schemas; s->schema.len; s++) {

        if (text->len > s->schema.len
            && ngx_strncasecmp(text->data, s->schema.data, s->schema.len)
               == 0)
        {
            break;
        }
    }

    if (s->schema.len == 0) {
        *err = "invalid URL prefix";
        return NGX_ERROR;
    }

#if !(NGX_HTTP_SSL)
    if (s->ssl) {
        *err = "wss and https protocols require SSL support";
        return NGX_ERROR;
    }
#endif

    ngx_memzero(u, sizeof(ngx_url_t));

    u->url.len = text->len - s->schema.len;
    u->url.data = text->data + s->schema.len;
    u->default_port = s->port;
    u->uri_part = 1;
    u->no_resolve = 1;

    if (ngx_parse_url(pool, u) != NGX_OK) {
        *err = u->err;
        return NGX_ERROR;
    }

    url->ssl = s->ssl;
    url->schema = s->schema;
    url->uri = u->uri;
    url->host = u->host;

    if (u->family == AF_UNIX) {
        ngx_str_set(&url->host, "localhost");

    } else if (!u->no_port && u->port != s->port) {
        url->host.len = u->host.len + 1 + u->port_text.len;
    }

    return ngx_http_ws_proxy_slash(pool, &url->uri);
}


/* "?a=b" asks for "/?a=b" */

static ngx_int_t
ngx_http_ws_proxy_slash(ngx_pool_t *pool, ngx_str_t *uri)
{
    u_char  *p;

    if (uri->len == 0 || uri->data[0] != '?') {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, uri->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = '/';
    ngx_memcpy(p + 1, uri->data, uri->len);

    uri->data = p;
    uri->len++;

    return NGX_OK;
}


ngx_int_t
ngx_http_ws_proxy_eval(ngx_http_request_t *r, ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_url_t             url;
    ngx_str_t             text;
    const char           *err;
    ngx_http_upstream_t  *u;

    if (ngx_http_complex_value(r, ctx->conf->url_value, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ws_proxy_url(r->pool, &text, &url, &ctx->url, &err)
        != NGX_OK)
    {
        if (err) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "%s in websocket backend \"%V\"", err, &text);
        }

        return NGX_ERROR;
    }

    u = r->upstream;

    u->resolved = ngx_pcalloc(r->pool, sizeof(ngx_http_upstream_resolved_t));
    if (u->resolved == NULL) {
        return NGX_ERROR;
    }

    if (url.addrs) {
        u->resolved->sockaddr = url.addrs[0].sockaddr;
        u->resolved->socklen = url.addrs[0].socklen;
        u->resolved->name = url.addrs[0].name;
        u->resolved->naddrs = 1;
    }

    u->resolved->host = url.host;
    u->resolved->port = (in_port_t) (url.no_port ? url.default_port
                                                 : url.port);
    u->resolved->no_port = url.no_port;

    return NGX_OK;
}


ngx_int_t
ngx_http_ws_proxy_uri(ngx_http_request_t *r, ngx_http_ws_proxy_ctx_t *ctx,
    ngx_str_t *uri)
{
    if (ctx->url.uri.len == 0 && r->valid_unparsed_uri) {
        *uri = r->unparsed_uri;
        return NGX_OK;
    }

    if (ctx->url.uri.len && ctx->conf->url_value) {
        *uri = ctx->url.uri;
        return NGX_OK;
    }

    return ngx_http_ws_proxy_replace(r, ctx, uri);
}


/* the URI of the URL in place of the location's name, the rest escaped */

static ngx_int_t
ngx_http_ws_proxy_replace(ngx_http_request_t *r, ngx_http_ws_proxy_ctx_t *ctx,
    ngx_str_t *uri)
{
    u_char     *p;
    size_t      skip;
    ngx_str_t   rest;
    uintptr_t   escape;

    skip = ctx->url.uri.len ? ctx->conf->location.len : 0;
    skip = ngx_min(skip, r->uri.len);

    rest.data = r->uri.data + skip;
    rest.len = r->uri.len - skip;

    escape = 2 * ngx_escape_uri(NULL, rest.data, rest.len, NGX_ESCAPE_URI);

    uri->len = ctx->url.uri.len + rest.len + escape
               + (r->args.len ? 1 + r->args.len : 0);

    uri->data = ngx_pnalloc(r->pool, uri->len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    p = uri->data;

    if (ctx->url.uri.len) {
        p = ngx_cpymem(p, ctx->url.uri.data, ctx->url.uri.len);
    }

    if (escape) {
        p = (u_char *) ngx_escape_uri(p, rest.data, rest.len, NGX_ESCAPE_URI);

    } else {
        p = ngx_cpymem(p, rest.data, rest.len);
    }

    if (r->args.len) {
        *p++ = '?';
        ngx_memcpy(p, r->args.data, r->args.len);
    }

    return NGX_OK;
}
