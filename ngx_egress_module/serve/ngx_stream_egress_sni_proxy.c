
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_sni_proxy: the target is what a TLS ClientHello or the head of an
 * HTTP/1 request names.  The bytes that were looked at are forwarded as they
 * came; nothing is answered.
 */


#include "ngx_stream_egress.h"
#include "ngx_stream_egress_sni_hosts.h"
#include "../proto/ngx_egress_hello.h"
#include "../proto/ngx_egress_http_head.h"
#include "../proto/ngx_egress_text.h"


#define NGX_STREAM_EGRESS_TLS_HANDSHAKE  0x16


typedef struct {
    ngx_uint_t                     port;       /* of TLS; 0: the listener's */
    ngx_uint_t                     http_port;
    size_t                         max_hello;
    ngx_msec_t                     wait_timeout;
    ngx_msec_t                     recv_timeout;
    ngx_stream_egress_sni_hosts_t *hosts;      /* NULL: all are allowed */
} ngx_stream_egress_sni_conf_t;


/* what is needed as long as the name is not known */
typedef union {
    ngx_egress_hello_t             hello;
    ngx_egress_http_head_t         http;
} ngx_stream_egress_sni_reader_t;


typedef struct {
    ngx_stream_egress_sni_reader_t  *reader;
    size_t                           seen;     /* bytes given to the reader */
    unsigned                         tls:1;
    unsigned                         ech:1;
} ngx_stream_egress_sni_t;


static void ngx_stream_egress_sni_handler(ngx_stream_session_t *s);
static ngx_int_t ngx_stream_egress_sni_first(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last);
static void ngx_stream_egress_sni_read(ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_sni_look(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last);
static void ngx_stream_egress_sni_complain(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_sni_named(ngx_stream_egress_ctx_t *ctx);
static ngx_uint_t ngx_stream_egress_sni_target(ngx_stream_egress_ctx_t *ctx);
static in_port_t ngx_stream_egress_sni_listener_port(ngx_connection_t *c);

static ngx_int_t ngx_stream_egress_sni_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_egress_sni_add_variables(ngx_conf_t *cf);
static void *ngx_stream_egress_sni_create_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_sni_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_egress_sni_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_egress_sni_port(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_stream_egress_sni_commands[] = {

    { ngx_string("egress_sni_proxy"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_egress_sni_proxy,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_sni_port"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE12,
      ngx_stream_egress_sni_port,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_sni_max_client_hello_size"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_sni_conf_t, max_hello),
      NULL },

    { ngx_string("egress_request_wait_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_sni_conf_t, wait_timeout),
      NULL },

    { ngx_string("egress_request_recv_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_sni_conf_t, recv_timeout),
      NULL },

    { ngx_string("egress_sni_hosts"),
      NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_stream_egress_sni_hosts_block,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_sni_conf_t, hosts),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_egress_sni_module_ctx = {
    ngx_stream_egress_sni_add_variables,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_egress_sni_create_conf,     /* create server configuration */
    ngx_stream_egress_sni_merge_conf       /* merge server configuration */
};


ngx_module_t  ngx_stream_egress_sni_module = {
    NGX_MODULE_V1,
    &ngx_stream_egress_sni_module_ctx,     /* module context */
    ngx_stream_egress_sni_commands,        /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void
ngx_stream_egress_sni_handler(ngx_stream_session_t *s)
{
    ngx_stream_egress_ctx_t       *ctx;
    ngx_stream_egress_sni_t       *sni;
    ngx_stream_egress_sni_conf_t  *scf;

    ctx = ngx_stream_egress_create(s);
    if (ctx == NULL) {
        return;
    }

    sni = ngx_pcalloc(s->connection->pool, sizeof(ngx_stream_egress_sni_t));
    if (sni == NULL) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    ngx_stream_set_ctx(s, sni, ngx_stream_egress_sni_module);

    ctx->data = sni;
    ctx->connected = ngx_stream_egress_relay;

    s->connection->log->action = "waiting for a server name";

    scf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_sni_module);

    ngx_stream_egress_read(ctx, ngx_stream_egress_sni_first, scf->max_hello,
                           scf->wait_timeout, ngx_stream_egress_sni_read);
}


/* any byte ends the first wait */

static ngx_int_t
ngx_stream_egress_sni_first(ngx_stream_egress_ctx_t *ctx, u_char **pos,
    u_char *last)
{
    ngx_stream_egress_sni_t  *sni;

    if (*pos == last) {
        return NGX_AGAIN;
    }

    sni = ctx->data;
    sni->tls = (**pos == NGX_STREAM_EGRESS_TLS_HANDSHAKE);

    return NGX_OK;
}


static void
ngx_stream_egress_sni_read(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_sni_t       *sni;
    ngx_stream_egress_sni_conf_t  *scf;

    sni = ctx->data;
    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_sni_module);

    sni->reader = ngx_pcalloc(ctx->session->connection->pool,
                              sizeof(ngx_stream_egress_sni_reader_t));
    if (sni->reader == NULL) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    if (sni->tls) {
        sni->reader->hello.max = scf->max_hello;

    } else {
        sni->reader->http.max = scf->max_hello;
    }

    ngx_stream_egress_read(ctx, ngx_stream_egress_sni_look, scf->max_hello,
                           scf->recv_timeout, ngx_stream_egress_sni_named);
}


/* consumes nothing: the target gets it all */

static ngx_int_t
ngx_stream_egress_sni_look(ngx_stream_egress_ctx_t *ctx, u_char **pos,
    u_char *last)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_stream_egress_sni_t  *sni;

    sni = ctx->data;
    p = *pos + sni->seen;

    if (sni->tls) {
        rc = ngx_egress_hello(&sni->reader->hello, &p, last);

    } else {
        rc = ngx_egress_http_head(&sni->reader->http, &p, last);
    }

    sni->seen = p - *pos;

    if (rc == NGX_ERROR) {
        ngx_stream_egress_sni_complain(ctx);
    }

    return rc;
}


static void
ngx_stream_egress_sni_complain(ngx_stream_egress_ctx_t *ctx)
{
    char                     *what, *why;
    ngx_stream_egress_sni_t  *sni;

    sni = ctx->data;

    if (sni->tls) {
        what = "ClientHello";
        why = ngx_egress_hello_strerror(sni->reader->hello.error);

    } else {
        what = "HTTP request";
        why = ngx_egress_http_strerror(sni->reader->http.error);
    }

    ngx_log_error(NGX_LOG_INFO, ctx->session->connection->log, 0,
                  "client sent invalid %s: %s", what, why);
}


static void
ngx_stream_egress_sni_named(ngx_stream_egress_ctx_t *ctx)
{
    ngx_uint_t                reason;
    ngx_stream_egress_sni_t  *sni;

    sni = ctx->data;
    sni->ech = (sni->tls && sni->reader->hello.ech);

    reason = ngx_stream_egress_sni_target(ctx);

    (void) ngx_pfree(ctx->session->connection->pool, sni->reader);
    sni->reader = NULL;

    if (reason) {
        ngx_stream_egress_refuse(ctx, reason);
        return;
    }

    ngx_stream_egress_connect(ctx);
}


static ngx_uint_t
ngx_stream_egress_sni_target(ngx_stream_egress_ctx_t *ctx)
{
    u_char                        *buf, text[NGX_EGRESS_TEXT_LEN];
    ngx_int_t                      rc;
    in_port_t                      port;
    ngx_str_t                      host, name;
    ngx_connection_t              *c;
    ngx_egress_addr_t             *target;
    ngx_stream_egress_sni_t       *sni;
    ngx_stream_egress_sni_conf_t  *scf;

    sni = ctx->data;
    c = ctx->session->connection;
    target = &ctx->task->target;

    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_sni_module);

    host = sni->tls ? sni->reader->hello.sni : sni->reader->http.host;
    port = (in_port_t) (sni->tls ? scf->port : scf->http_port);

    if (host.len == 0 || (!sni->tls && sni->reader->http.connect)) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client sent no server name to go to");
        return NGX_EGRESS_BAD_TARGET;
    }

    buf = ngx_pnalloc(c->pool, ngx_max(host.len, NGX_EGRESS_IP_LEN));
    if (buf == NULL) {
        return NGX_EGRESS_INTERNAL;
    }

    rc = sni->tls ? ngx_egress_addr_host(target, buf, host.data, host.len)
                  : ngx_egress_addr_parse(target, buf, host.data, host.len,
                                          NGX_EGRESS_PORT_OPTIONAL);
    if (rc != NGX_OK) {
        ngx_egress_text(&name, text, &host);

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client sent invalid server name \"%V\": %s", &name,
                      ngx_egress_addr_strerror(target->error));
        return NGX_EGRESS_BAD_TARGET;
    }

    target->port = port ? port : ngx_stream_egress_sni_listener_port(c);

    if (target->port == 0) {
        return NGX_EGRESS_BAD_TARGET;
    }

    if (scf->hosts == NULL) {
        return NGX_EGRESS_NONE;
    }

    return ngx_stream_egress_sni_hosts_apply(scf->hosts, target, c->log);
}


/* where the client has connected to; behind PROXY protocol, there */

static in_port_t
ngx_stream_egress_sni_listener_port(ngx_connection_t *c)
{
    ngx_sockaddr_t  sa;

    if (c->proxy_protocol && c->proxy_protocol->dst_port) {
        return c->proxy_protocol->dst_port;
    }

    return ngx_stream_egress_local(c, &sa) ? ngx_inet_get_port(&sa.sockaddr)
                                           : 0;
}


static ngx_int_t
ngx_stream_egress_sni_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_stream_egress_sni_t  *sni;

    sni = ngx_stream_get_module_ctx(s, ngx_stream_egress_sni_module);

    if (sni == NULL || !sni->ech) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = 1;
    v->data = (u_char *) "1";
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_egress_sni_add_variables(ngx_conf_t *cf)
{
    ngx_str_t               name = ngx_string("egress_sni_ech");
    ngx_stream_variable_t  *var;

    var = ngx_stream_add_variable(cf, &name, NGX_STREAM_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_stream_egress_sni_variable;

    return NGX_OK;
}


static void *
ngx_stream_egress_sni_create_conf(ngx_conf_t *cf)
{
    ngx_stream_egress_sni_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_sni_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->hosts = NULL;
     */

    conf->port = NGX_CONF_UNSET_UINT;
    conf->http_port = NGX_CONF_UNSET_UINT;
    conf->max_hello = NGX_CONF_UNSET_SIZE;
    conf->wait_timeout = NGX_CONF_UNSET_MSEC;
    conf->recv_timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_stream_egress_sni_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_sni_conf_t *prev = parent;
    ngx_stream_egress_sni_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->port, prev->port, 0);
    ngx_conf_merge_uint_value(conf->http_port, prev->http_port, 0);
    ngx_conf_merge_size_value(conf->max_hello, prev->max_hello, 65536);
    ngx_conf_merge_msec_value(conf->wait_timeout, prev->wait_timeout, 60000);
    ngx_conf_merge_msec_value(conf->recv_timeout, prev->recv_timeout, 4000);

    if (conf->max_hello < 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"egress_sni_max_client_hello_size\" must be "
                           "1k or more");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_sni_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_stream_egress_set_server(cf, ngx_stream_egress_sni_handler, 0);
}


static char *
ngx_stream_egress_sni_port(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_sni_conf_t *scf = conf;

    in_port_t   port;
    ngx_str_t  *value, s;
    ngx_uint_t  i, tls, http;

    if (scf->port != NGX_CONF_UNSET_UINT
        || scf->http_port != NGX_CONF_UNSET_UINT)
    {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        tls = ngx_egress_conf_param(&value[i], "tls=", &s);
        http = tls ? 0 : ngx_egress_conf_param(&value[i], "http=", &s);

        if (!tls && !http) {
            s = value[i];
        }

        port = ngx_egress_addr_port(s.data, s.len);

        if (port == 0 || (!tls && !http && cf->args->nelts > 2)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid port \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (!http) {
            scf->port = port;
        }

        if (!tls) {
            scf->http_port = port;
        }
    }

    return NGX_CONF_OK;
}
