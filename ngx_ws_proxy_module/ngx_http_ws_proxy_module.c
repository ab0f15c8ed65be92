
/*
 * Copyright (C) ngx_egress authors
 *
 * ws_proxy_pass: the directives, and the content handler that begins a
 * session.  ngx_http_ws_proxy.h tells where it goes from there.
 */


#include <ngx_http_ws_proxy.h>


static ngx_int_t ngx_http_ws_proxy_fallback(ngx_http_request_t *r,
    ngx_http_ws_proxy_loc_conf_t *conf);
static void ngx_http_ws_proxy_abort_request(ngx_http_request_t *r);

static ngx_int_t ngx_http_ws_proxy_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_ws_proxy_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_ws_proxy_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_ws_proxy_merge_upstream(
    ngx_http_ws_proxy_loc_conf_t *prev, ngx_http_ws_proxy_loc_conf_t *conf);
static char *ngx_http_ws_proxy_merge_headers(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *prev, ngx_http_ws_proxy_loc_conf_t *conf);


static ngx_conf_bitmask_t  ngx_http_ws_proxy_next_upstream[] = {
    { ngx_string("error"), NGX_HTTP_UPSTREAM_FT_ERROR },
    { ngx_string("timeout"), NGX_HTTP_UPSTREAM_FT_TIMEOUT },
    { ngx_string("invalid_header"), NGX_HTTP_UPSTREAM_FT_INVALID_HEADER },
    { ngx_string("http_500"), NGX_HTTP_UPSTREAM_FT_HTTP_500 },
    { ngx_string("http_502"), NGX_HTTP_UPSTREAM_FT_HTTP_502 },
    { ngx_string("http_503"), NGX_HTTP_UPSTREAM_FT_HTTP_503 },
    { ngx_string("http_504"), NGX_HTTP_UPSTREAM_FT_HTTP_504 },
    { ngx_string("http_403"), NGX_HTTP_UPSTREAM_FT_HTTP_403 },
    { ngx_string("http_404"), NGX_HTTP_UPSTREAM_FT_HTTP_404 },
    { ngx_string("http_429"), NGX_HTTP_UPSTREAM_FT_HTTP_429 },
    { ngx_string("off"), NGX_HTTP_UPSTREAM_FT_OFF },
    { ngx_null_string, 0 }
};


/* not passed to the client unless ws_proxy_pass_header says so */

static ngx_str_t  ngx_http_ws_proxy_hide_headers[] = {
    ngx_string("Date"),
    ngx_string("Server"),
    ngx_string("X-Accel-Expires"),
    ngx_string("X-Accel-Redirect"),
    ngx_string("X-Accel-Limit-Rate"),
    ngx_string("X-Accel-Buffering"),
    ngx_string("X-Accel-Charset"),
    ngx_null_string
};


static ngx_command_t  ngx_http_ws_proxy_commands[] = {

    { ngx_string("ws_proxy_pass"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_ws_proxy_set_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_fallback"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, fallback),
      NULL },

    { ngx_string("ws_proxy_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ws_proxy_set_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_set_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_ws_proxy_set_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_keep_host"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, keep_host),
      NULL },

    { ngx_string("ws_proxy_extensions"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, extensions),
      NULL },

    { ngx_string("ws_proxy_client_max_message_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ws_proxy_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, client_max),
      NULL },

    { ngx_string("ws_proxy_server_max_message_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ws_proxy_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, server_max),
      NULL },

    { ngx_string("ws_proxy_inflate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, inflate),
      NULL },

    { ngx_string("ws_proxy_utf8_check"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, utf8),
      NULL },

    { ngx_string("ws_proxy_ping"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_ws_proxy_set_ping,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_connect_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.connect_timeout),
      NULL },

    { ngx_string("ws_proxy_handshake_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.read_timeout),
      NULL },

    { ngx_string("ws_proxy_send_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.send_timeout),
      NULL },

    { ngx_string("ws_proxy_read_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, read_timeout),
      NULL },

    { ngx_string("ws_proxy_close_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, close_timeout),
      NULL },

    { ngx_string("ws_proxy_next_upstream"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.next_upstream),
      &ngx_http_ws_proxy_next_upstream },

    { ngx_string("ws_proxy_next_upstream_tries"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.next_upstream_tries),
      NULL },

    { ngx_string("ws_proxy_next_upstream_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.next_upstream_timeout),
      NULL },

    { ngx_string("ws_proxy_bind"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_upstream_bind_set_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.local),
      NULL },

    { ngx_string("ws_proxy_socket_keepalive"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.socket_keepalive),
      NULL },

    { ngx_string("ws_proxy_buffer_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.buffer_size),
      NULL },

    { ngx_string("ws_proxy_intercept_errors"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.intercept_errors),
      NULL },

    { ngx_string("ws_proxy_ignore_client_abort"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ignore_client_abort),
      NULL },

    { ngx_string("ws_proxy_hide_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_array_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.hide_headers),
      NULL },

    { ngx_string("ws_proxy_pass_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_array_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.pass_headers),
      NULL },

#if (NGX_HTTP_SSL)

    { ngx_string("ws_proxy_ssl_session_reuse"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ssl_session_reuse),
      NULL },

    { ngx_string("ws_proxy_ssl_protocols"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, ssl_protocols),
      &ngx_http_ws_proxy_ssl_protocols },

    { ngx_string("ws_proxy_ssl_ciphers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, ssl_ciphers),
      NULL },

    { ngx_string("ws_proxy_ssl_name"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ssl_name),
      NULL },

    { ngx_string("ws_proxy_ssl_server_name"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ssl_server_name),
      NULL },

    { ngx_string("ws_proxy_ssl_verify"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ssl_verify),
      NULL },

    { ngx_string("ws_proxy_ssl_verify_depth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, ssl_verify_depth),
      NULL },

    { ngx_string("ws_proxy_ssl_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, ssl_trusted_certificate),
      NULL },

    { ngx_string("ws_proxy_ssl_crl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, ssl_crl),
      NULL },

    { ngx_string("ws_proxy_ssl_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_zero_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ssl_certificate),
      NULL },

    { ngx_string("ws_proxy_ssl_certificate_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_zero_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, upstream.ssl_certificate_key),
      NULL },

    { ngx_string("ws_proxy_ssl_password_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ws_proxy_ssl_password_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ws_proxy_ssl_conf_command"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_conf_set_keyval_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ws_proxy_loc_conf_t, ssl_conf_commands),
      NULL },

#endif

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ws_proxy_module_ctx = {
    ngx_http_ws_proxy_preconfiguration,    /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_ws_proxy_create_loc_conf,     /* create location configuration */
    ngx_http_ws_proxy_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_ws_proxy_module = {
    NGX_MODULE_V1,
    &ngx_http_ws_proxy_module_ctx,         /* module context */
    ngx_http_ws_proxy_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_ws_proxy_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
ngx_http_ws_proxy_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_upstream_t           *u;
    ngx_http_ws_proxy_ctx_t       *ctx;
    ngx_http_ws_proxy_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_ws_proxy_module);

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "websocket cannot be proxied in a subrequest");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ws_proxy_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ctx->conf = conf;
    ctx->dialed = ngx_current_msec;

    rc = ngx_http_ws_proxy_handshake(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_ws_proxy_fallback(r, conf);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_upstream_create(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_ws_proxy_module);

    u = r->upstream;

    if (conf->url_value == NULL) {
        ctx->url = conf->url;

    } else if (ngx_http_ws_proxy_eval(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    u->schema = ctx->url.schema;
#if (NGX_HTTP_SSL)
    u->ssl = ctx->url.ssl;
#endif

    u->output.tag = (ngx_buf_tag_t) &ngx_http_ws_proxy_module;
    u->conf = &conf->upstream;

    u->create_request = ngx_http_ws_proxy_create_request;
    u->reinit_request = ngx_http_ws_proxy_reinit_request;
    u->process_header = ngx_http_ws_proxy_process_status;
    u->abort_request = ngx_http_ws_proxy_abort_request;
    u->finalize_request = ngx_http_ws_proxy_finalize;

    u->input_filter_init = ngx_http_ws_proxy_filter_init;
    u->input_filter = ngx_http_upstream_non_buffered_filter;
    u->input_filter_ctx = r;
    u->buffering = 0;

    r->state = 0;
    r->main->count++;

    ngx_http_upstream_init(r);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_ws_proxy_fallback(ngx_http_request_t *r,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_str_t   uri, args;
    ngx_uint_t  flags;

    if (conf->fallback.len == 0) {
        return ngx_http_ws_proxy_upgrade_required(r);
    }

    uri = conf->fallback;

    if (uri.data[0] == '@') {
        return ngx_http_named_location(r, &uri);
    }

    ngx_str_null(&args);
    flags = 0;

    if (ngx_http_parse_unsafe_uri(r, &uri, &args, &flags) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_internal_redirect(r, &uri, args.len ? &args : &r->args);
}


static void
ngx_http_ws_proxy_abort_request(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "ws proxy abort request");
}


static ngx_int_t
ngx_http_ws_proxy_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_ws_proxy_add_variables(cf);
}


static void *
ngx_http_ws_proxy_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_ws_proxy_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ws_proxy_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->upstream.next_upstream = 0;
     *     conf->upstream.hide_headers_hash = { NULL, 0 };
     *     conf->upstream.buffering = 0;
     *     conf->upstream.cache = 0;
     *     conf->upstream.store = 0;
     *     conf->url = { 0 };
     *     conf->url_value = NULL;
     *     conf->location = { 0, NULL };
     *     conf->origin_none = 0;
     *     conf->origin_same = 0;
     *     conf->fallback = { 0, NULL };
     *     conf->ssl_used = 0;
     *     conf->ssl_protocols = 0;
     *     conf->ssl_ciphers = { 0, NULL };
     *     conf->ssl_trusted_certificate = { 0, NULL };
     *     conf->ssl_crl = { 0, NULL };
     */

    conf->upstream.next_upstream_tries = NGX_CONF_UNSET_UINT;
    conf->upstream.next_upstream_timeout = NGX_CONF_UNSET_MSEC;
    conf->upstream.connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->upstream.send_timeout = NGX_CONF_UNSET_MSEC;
    conf->upstream.read_timeout = NGX_CONF_UNSET_MSEC;
    conf->upstream.buffer_size = NGX_CONF_UNSET_SIZE;
    conf->upstream.local = NGX_CONF_UNSET_PTR;
    conf->upstream.socket_keepalive = NGX_CONF_UNSET;
    conf->upstream.ignore_client_abort = NGX_CONF_UNSET;
    conf->upstream.intercept_errors = NGX_CONF_UNSET;
    conf->upstream.hide_headers = NGX_CONF_UNSET_PTR;
    conf->upstream.pass_headers = NGX_CONF_UNSET_PTR;

    ngx_str_set(&conf->upstream.module, "ws_proxy");

    conf->headers = NGX_CONF_UNSET_PTR;
    conf->origins = NGX_CONF_UNSET_PTR;
    conf->keep_host = NGX_CONF_UNSET;
    conf->extensions = NGX_CONF_UNSET;
    conf->client_max = NGX_CONF_UNSET_SIZE;
    conf->server_max = NGX_CONF_UNSET_SIZE;
    conf->inflate = NGX_CONF_UNSET;
    conf->utf8 = NGX_CONF_UNSET;
    conf->read_timeout = NGX_CONF_UNSET_MSEC;
    conf->close_timeout = NGX_CONF_UNSET_MSEC;
    conf->ping = NGX_CONF_UNSET_MSEC;
    conf->pong = NGX_CONF_UNSET_MSEC;

#if (NGX_HTTP_SSL)
    ngx_http_ws_proxy_create_ssl(conf);
#endif

    return conf;
}


static char *
ngx_http_ws_proxy_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ws_proxy_loc_conf_t *prev = parent;
    ngx_http_ws_proxy_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_http_ws_proxy_merge_upstream(prev, conf);

    ngx_conf_merge_ptr_value(conf->headers, prev->headers, NULL);

    if (conf->origins == NGX_CONF_UNSET_PTR) {
        conf->origin_none = prev->origin_none;
        conf->origin_same = prev->origin_same;
    }

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_str_value(conf->fallback, prev->fallback, "");

    if (conf->fallback.len && conf->fallback.data[0] != '@'
        && conf->fallback.data[0] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ws_proxy_fallback\" must be a URI or a named "
                           "location, not \"%V\"", &conf->fallback);
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_value(conf->keep_host, prev->keep_host, 0);
    ngx_conf_merge_value(conf->extensions, prev->extensions, 1);
    ngx_conf_merge_size_value(conf->client_max, prev->client_max, 32769);
    ngx_conf_merge_size_value(conf->server_max, prev->server_max, 32769);
    ngx_conf_merge_value(conf->inflate, prev->inflate, 1);
    ngx_conf_merge_value(conf->utf8, prev->utf8, 0);
    ngx_conf_merge_msec_value(conf->read_timeout, prev->read_timeout, 60000);
    ngx_conf_merge_msec_value(conf->close_timeout, prev->close_timeout, 5000);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 0);
    ngx_conf_merge_msec_value(conf->pong, prev->pong, 0);

    /* "if" and "limit_except" have the handler of the location around them */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->upstream.upstream == NULL
        && conf->url_value == NULL)
    {
        conf->upstream.upstream = prev->upstream.upstream;
        conf->url = prev->url;
        conf->url_value = prev->url_value;
        conf->location = prev->location;
#if (NGX_HTTP_SSL)
        conf->ssl_used = prev->ssl_used;
#endif
    }

    if (clcf->lmt_excpt && clcf->handler == NULL
        && (conf->upstream.upstream || conf->url_value))
    {
        clcf->handler = ngx_http_ws_proxy_handler;
    }

#if (NGX_HTTP_SSL)

    if (ngx_http_ws_proxy_merge_ssl(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

#endif

    return ngx_http_ws_proxy_merge_headers(cf, prev, conf);
}


static void
ngx_http_ws_proxy_merge_upstream(ngx_http_ws_proxy_loc_conf_t *prev,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_conf_merge_uint_value(conf->upstream.next_upstream_tries,
                              prev->upstream.next_upstream_tries, 0);
    ngx_conf_merge_msec_value(conf->upstream.next_upstream_timeout,
                              prev->upstream.next_upstream_timeout, 0);
    ngx_conf_merge_msec_value(conf->upstream.connect_timeout,
                              prev->upstream.connect_timeout, 60000);
    ngx_conf_merge_msec_value(conf->upstream.send_timeout,
                              prev->upstream.send_timeout, 60000);
    ngx_conf_merge_msec_value(conf->upstream.read_timeout,
                              prev->upstream.read_timeout, 60000);
    ngx_conf_merge_size_value(conf->upstream.buffer_size,
                              prev->upstream.buffer_size,
                              (size_t) ngx_pagesize);
    ngx_conf_merge_ptr_value(conf->upstream.local,
                             prev->upstream.local, NULL);
    ngx_conf_merge_value(conf->upstream.socket_keepalive,
                         prev->upstream.socket_keepalive, 0);
    ngx_conf_merge_value(conf->upstream.ignore_client_abort,
                         prev->upstream.ignore_client_abort, 0);
    ngx_conf_merge_value(conf->upstream.intercept_errors,
                         prev->upstream.intercept_errors, 0);

    ngx_conf_merge_bitmask_value(conf->upstream.next_upstream,
                                 prev->upstream.next_upstream,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_UPSTREAM_FT_ERROR
                                  |NGX_HTTP_UPSTREAM_FT_TIMEOUT));

    if (conf->upstream.next_upstream & NGX_HTTP_UPSTREAM_FT_OFF) {
        conf->upstream.next_upstream = NGX_CONF_BITMASK_SET
                                       |NGX_HTTP_UPSTREAM_FT_OFF;
    }
}


static char *
ngx_http_ws_proxy_merge_headers(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *prev, ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_hash_init_t  hash;

    hash.max_size = 512;
    hash.bucket_size = ngx_align(64, ngx_cacheline_size);
    hash.name = "ws_proxy_headers_hash";

    if (ngx_http_upstream_hide_headers_hash(cf, &conf->upstream,
                                            &prev->upstream,
                                            ngx_http_ws_proxy_hide_headers,
                                            &hash)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
