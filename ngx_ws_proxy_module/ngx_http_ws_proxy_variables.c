
/*
 * Copyright (C) ngx_egress authors
 *
 * $ws_proxy_*: what the access log can tell about a session.  Empty when
 * there was none.
 */


#include <ngx_http_ws_proxy.h>


static ngx_int_t ngx_http_ws_proxy_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ws_proxy_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ws_proxy_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ws_proxy_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, u_char *text, size_t len);


enum {
    ws_close_code = 0,
    ws_client_messages,
    ws_server_messages,
    ws_client_bytes,
    ws_server_bytes,
    ws_client_max_message,
    ws_server_max_message,

    ws_duration,
    ws_handshake_time,

    ws_closed_by,
    ws_close_reason,
    ws_backend
};


static ngx_http_variable_t  ngx_http_ws_proxy_vars[] = {

    { ngx_string("ws_proxy_close_code"), NULL, ngx_http_ws_proxy_number,
      ws_close_code, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_client_messages"), NULL, ngx_http_ws_proxy_number,
      ws_client_messages, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_server_messages"), NULL, ngx_http_ws_proxy_number,
      ws_server_messages, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_client_bytes"), NULL, ngx_http_ws_proxy_number,
      ws_client_bytes, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_server_bytes"), NULL, ngx_http_ws_proxy_number,
      ws_server_bytes, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_client_max_message"), NULL,
      ngx_http_ws_proxy_number, ws_client_max_message,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_server_max_message"), NULL,
      ngx_http_ws_proxy_number, ws_server_max_message,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_duration"), NULL, ngx_http_ws_proxy_time,
      ws_duration, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_handshake_time"), NULL, ngx_http_ws_proxy_time,
      ws_handshake_time, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_closed_by"), NULL, ngx_http_ws_proxy_text,
      ws_closed_by, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_close_reason"), NULL, ngx_http_ws_proxy_text,
      ws_close_reason, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ws_proxy_backend"), NULL, ngx_http_ws_proxy_text,
      ws_backend, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_str_t  ngx_http_ws_proxy_names[] = {
    ngx_null_string,
    ngx_string("client"),
    ngx_string("backend"),
    ngx_string("proxy")
};


static ngx_int_t
ngx_http_ws_proxy_number(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char                   *p;
    uint64_t                  n;
    ngx_ws_watch_t           *client, *server;
    ngx_http_ws_proxy_ctx_t  *ctx;

    u_char  text[NGX_INT64_LEN];

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (ctx == NULL || !ctx->open
        || (data == ws_close_code && ctx->closed_by == NGX_HTTP_WS_NOBODY))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    client = &ctx->dir[NGX_HTTP_WS_CLIENT].watch;
    server = &ctx->dir[NGX_HTTP_WS_BACKEND].watch;

    switch (data) {

    case ws_client_messages:
        n = client->messages;
        break;

    case ws_server_messages:
        n = server->messages;
        break;

    case ws_client_bytes:
        n = client->bytes;
        break;

    case ws_server_bytes:
        n = server->bytes;
        break;

    case ws_client_max_message:
        n = client->largest;
        break;

    case ws_server_max_message:
        n = server->largest;
        break;

    default: /* ws_close_code */
        n = ctx->close_code;
        break;
    }

    p = ngx_sprintf(text, "%uL", n);

    return ngx_http_ws_proxy_value(r, v, text, p - text);
}


static ngx_int_t
ngx_http_ws_proxy_time(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char                   *p;
    ngx_msec_t                ms;
    ngx_http_ws_proxy_ctx_t  *ctx;

    u_char  text[NGX_TIME_T_LEN + 4];

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (ctx == NULL || !ctx->open) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (data == ws_handshake_time) {
        ms = ctx->opened - ctx->dialed;

    } else {
        ms = (ctx->over ? ctx->ended : ngx_current_msec) - ctx->opened;
    }

    p = ngx_sprintf(text, "%T.%03M", (time_t) ms / 1000, ms % 1000);

    return ngx_http_ws_proxy_value(r, v, text, p - text);
}


static ngx_int_t
ngx_http_ws_proxy_text(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t                 s;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (ctx == NULL || !ctx->open) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_str_null(&s);

    switch (data) {

    case ws_closed_by:
        s = ngx_http_ws_proxy_names[ctx->closed_by];
        break;

    case ws_close_reason:
        if (ctx->close_text) {
            s.data = (u_char *) ctx->close_text;
            s.len = ngx_strlen(s.data);
        }

        break;

    default: /* ws_backend */
        if (r->upstream->state && r->upstream->state->peer) {
            s = *r->upstream->state->peer;
        }

        break;
    }

    if (s.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_ws_proxy_value(r, v, s.data, s.len);
}


static ngx_int_t
ngx_http_ws_proxy_value(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    u_char *text, size_t len)
{
    v->data = ngx_pnalloc(r->pool, len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, text, len);

    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_ws_proxy_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_ws_proxy_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
