
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_tcp_stream: maps a listener to one or several targets.  With "ssl"
 * on the listener it is g3's tls_stream; with egress_tls_client { } it speaks
 * TLS to the target.
 */


#include "ngx_stream_egress.h"
#include "../connect/ngx_egress_pick.h"
#include "../connect/ngx_egress_tls.h"
#include "../proto/ngx_egress_text.h"
#include "../ngx_egress_hosts.h"


typedef struct {
    ngx_array_t                  values;    /* of ngx_stream_complex_value_t */
    ngx_egress_pick_t            pick;      /* nodes as the values are */
    ngx_egress_tls_t            *tls;
    ngx_stream_complex_value_t  *tls_name;
} ngx_stream_egress_tcp_stream_conf_t;


typedef struct {
    ngx_uint_t                   order[NGX_EGRESS_PICK_MAX];
    ngx_uint_t                   n;
    ngx_uint_t                   next;      /* in order */
} ngx_stream_egress_tcp_stream_t;


static void ngx_stream_egress_tcp_stream_handler(ngx_stream_session_t *s);
static ngx_uint_t ngx_stream_egress_tcp_stream_order(
    ngx_stream_egress_ctx_t *ctx, ngx_stream_egress_tcp_stream_conf_t *tscf);
static ngx_int_t ngx_stream_egress_tcp_stream_key(ngx_stream_session_t *s,
    ngx_str_t *key);
static ngx_int_t ngx_stream_egress_tcp_stream_another(
    ngx_egress_task_t *task);
static ngx_int_t ngx_stream_egress_tcp_stream_target(
    ngx_stream_egress_ctx_t *ctx, ngx_stream_complex_value_t *value);
static ngx_int_t ngx_stream_egress_tcp_stream_tls_name(
    ngx_stream_egress_ctx_t *ctx);
static ngx_uint_t ngx_stream_egress_tcp_stream_retriable(ngx_uint_t reason);

static void *ngx_stream_egress_tcp_stream_create_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_tcp_stream_merge_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_stream_egress_tcp_stream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_egress_tcp_stream_add(ngx_conf_t *cf,
    ngx_stream_egress_tcp_stream_conf_t *tscf, ngx_array_t *nodes,
    ngx_str_t *value);


static ngx_command_t  ngx_stream_egress_tcp_stream_commands[] = {

    { ngx_string("egress_tcp_stream"),
      NGX_STREAM_SRV_CONF|NGX_CONF_2MORE,
      ngx_stream_egress_tcp_stream,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_upstream_pick_policy"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_tcp_stream_conf_t, pick)
      + offsetof(ngx_egress_pick_t, policy),
      &ngx_egress_pick_policies },

    { ngx_string("egress_tls_client"),
      NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_tls_client_block,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_tcp_stream_conf_t, tls),
      NULL },

    { ngx_string("egress_upstream_tls_name"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_set_complex_value_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_tcp_stream_conf_t, tls_name),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_egress_tcp_stream_module_ctx = {
    NULL,                                      /* preconfiguration */
    NULL,                                      /* postconfiguration */

    NULL,                                      /* create main conf */
    NULL,                                      /* init main conf */

    ngx_stream_egress_tcp_stream_create_conf,  /* create server conf */
    ngx_stream_egress_tcp_stream_merge_conf    /* merge server conf */
};


ngx_module_t  ngx_stream_egress_tcp_stream_module = {
    NGX_MODULE_V1,
    &ngx_stream_egress_tcp_stream_module_ctx,  /* module context */
    ngx_stream_egress_tcp_stream_commands,     /* module directives */
    NGX_STREAM_MODULE,                         /* module type */
    NULL,                                      /* init master */
    NULL,                                      /* init module */
    NULL,                                      /* init process */
    NULL,                                      /* init thread */
    NULL,                                      /* exit thread */
    NULL,                                      /* exit process */
    NULL,                                      /* exit master */
    NGX_MODULE_V1_PADDING
};


static void
ngx_stream_egress_tcp_stream_handler(ngx_stream_session_t *s)
{
    ngx_uint_t                            reason;
    ngx_egress_task_t                    *task;
    ngx_stream_egress_ctx_t              *ctx;
    ngx_stream_egress_tcp_stream_conf_t  *tscf;

    ctx = ngx_stream_egress_create(s);
    if (ctx == NULL) {
        return;
    }

    tscf = ngx_stream_get_module_srv_conf(s,
                                         ngx_stream_egress_tcp_stream_module);

    reason = ngx_stream_egress_tcp_stream_order(ctx, tscf);

    if (reason) {
        ngx_stream_egress_refuse(ctx, reason);
        return;
    }

    task = ctx->task;

    task->tls = tscf->tls;
    task->another = ngx_stream_egress_tcp_stream_another;

    ctx->connected = ngx_stream_egress_relay;

    if (ngx_stream_egress_tcp_stream_another(task) != NGX_OK) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_BAD_TARGET);
        return;
    }

    ngx_stream_egress_connect(ctx);
}


static ngx_uint_t
ngx_stream_egress_tcp_stream_order(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_tcp_stream_conf_t *tscf)
{
    ngx_str_t                        key;
    ngx_stream_session_t            *s;
    ngx_stream_egress_tcp_stream_t  *ts;

    s = ctx->session;

    ts = ngx_pcalloc(s->connection->pool,
                     sizeof(ngx_stream_egress_tcp_stream_t));
    if (ts == NULL) {
        return NGX_EGRESS_INTERNAL;
    }

    ctx->data = ts;

    ngx_str_null(&key);

    if (ngx_egress_pick_hashes(&tscf->pick)
        && ngx_stream_egress_tcp_stream_key(s, &key) != NGX_OK)
    {
        return NGX_EGRESS_INTERNAL;
    }

    ts->n = ngx_egress_pick(&tscf->pick, &key, ts->order);

    return NGX_EGRESS_NONE;
}


/* g3's <client-ip><server-ip> */

static ngx_int_t
ngx_stream_egress_tcp_stream_key(ngx_stream_session_t *s, ngx_str_t *key)
{
    u_char            *p, local[NGX_SOCKADDR_STRLEN];
    ngx_str_t          server;
    ngx_connection_t  *c;

    c = s->connection;

    server.data = local;
    server.len = NGX_SOCKADDR_STRLEN;

    if (ngx_connection_local_sockaddr(c, &server, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    key->len = c->addr_text.len + server.len;

    p = ngx_pnalloc(c->pool, key->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;

    p = ngx_cpymem(p, c->addr_text.data, c->addr_text.len);
    ngx_memcpy(p, server.data, server.len);

    return NGX_OK;
}


/* A target that cannot be reached is followed by the next one. */

static ngx_int_t
ngx_stream_egress_tcp_stream_another(ngx_egress_task_t *task)
{
    ngx_stream_session_t                 *s;
    ngx_stream_egress_ctx_t              *ctx;
    ngx_stream_complex_value_t           *values;
    ngx_stream_egress_tcp_stream_t       *ts;
    ngx_stream_egress_tcp_stream_conf_t  *tscf;

    ctx = task->data;
    ts = ctx->data;
    s = ctx->session;

    if (!ngx_stream_egress_tcp_stream_retriable(task->reason)) {
        return NGX_DECLINED;
    }

    tscf = ngx_stream_get_module_srv_conf(s,
                                         ngx_stream_egress_tcp_stream_module);
    values = tscf->values.elts;

    while (ts->next < ts->n) {
        if (ngx_stream_egress_tcp_stream_target(ctx,
                                               &values[ts->order[ts->next++]])
            == NGX_OK)
        {
            return ngx_stream_egress_tcp_stream_tls_name(ctx);
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_stream_egress_tcp_stream_target(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_complex_value_t *value)
{
    u_char                *buf, printable[NGX_EGRESS_TEXT_LEN];
    ngx_str_t              text;
    ngx_connection_t      *c;
    ngx_egress_task_t     *task;

    c = ctx->session->connection;
    task = ctx->task;

    if (ngx_stream_complex_value(ctx->session, value, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    buf = ngx_pnalloc(c->pool, ngx_max(text.len, NGX_EGRESS_IP_LEN));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_addr_parse(&task->target, buf, text.data, text.len,
                              NGX_EGRESS_PORT_REQUIRED)
        == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_egress_text(&text, printable, &text);

    ngx_log_error(NGX_LOG_ERR, c->log, 0, "invalid target \"%V\": %s", &text,
                  ngx_egress_addr_strerror(task->target.error));

    return NGX_DECLINED;
}


static ngx_int_t
ngx_stream_egress_tcp_stream_tls_name(ngx_stream_egress_ctx_t *ctx)
{
    ngx_egress_task_t                    *task;
    ngx_stream_egress_tcp_stream_conf_t  *tscf;

    task = ctx->task;

    tscf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_tcp_stream_module);
    if (tscf->tls == NULL) {
        return NGX_OK;
    }

    if (tscf->tls_name == NULL) {
        task->tls_name = tscf->tls->name.len ? tscf->tls->name
                                             : task->target.host;
        return NGX_OK;
    }

    return ngx_stream_complex_value(ctx->session, tscf->tls_name,
                                    &task->tls_name);
}


static ngx_uint_t
ngx_stream_egress_tcp_stream_retriable(ngx_uint_t reason)
{
    switch (reason) {

    case NGX_EGRESS_CLIENT_ABORTED:
    case NGX_EGRESS_SHUTDOWN:
    case NGX_EGRESS_INTERNAL:
    case NGX_EGRESS_LOOP:
        return 0;

    default:
        return 1;
    }
}


static void *
ngx_stream_egress_tcp_stream_create_conf(ngx_conf_t *cf)
{
    ngx_stream_egress_tcp_stream_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_tcp_stream_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->values = { 0 };
     *     conf->tls = NULL;
     *     conf->tls_name = NULL;
     */

    conf->pick.policy = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_stream_egress_tcp_stream_merge_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_stream_egress_tcp_stream_conf_t *prev = parent;
    ngx_stream_egress_tcp_stream_conf_t *conf = child;

    ngx_stream_core_srv_conf_t  *cscf;

    ngx_conf_merge_uint_value(conf->pick.policy, prev->pick.policy,
                              NGX_EGRESS_PICK_RANDOM);

    if (conf->tls_name && conf->tls == NULL) {
        cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"egress_upstream_tls_name\" needs "
                      "\"egress_tls_client\" in the server in %s:%ui",
                      cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->pick.n == 0) {
        return NGX_CONF_OK;
    }

    return ngx_egress_pick_init(&conf->pick, cf->pool) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_stream_egress_tcp_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_tcp_stream_conf_t *tscf = conf;

    char         *rv;
    ngx_int_t     rc;
    ngx_str_t    *value;
    ngx_uint_t    i;
    ngx_array_t   nodes;

    rv = ngx_stream_egress_set_server(cf, ngx_stream_egress_tcp_stream_handler,
                                      1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_array_init(&tscf->values, cf->pool, 2,
                       sizeof(ngx_stream_complex_value_t))
        != NGX_OK
        || ngx_array_init(&nodes, cf->pool, 2, sizeof(ngx_egress_pick_node_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        rc = ngx_egress_pick_weight(cf, &nodes, &value[i]);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_OK) {
            continue;
        }

        rv = ngx_stream_egress_tcp_stream_add(cf, tscf, &nodes, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    tscf->pick.nodes = nodes.elts;
    tscf->pick.n = nodes.nelts;

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_tcp_stream_add(ngx_conf_t *cf,
    ngx_stream_egress_tcp_stream_conf_t *tscf, ngx_array_t *nodes,
    ngx_str_t *value)
{
    ngx_egress_addr_t                    addr;
    ngx_egress_pick_node_t              *node;
    ngx_stream_complex_value_t          *cv;
    ngx_stream_compile_complex_value_t   ccv;

    cv = ngx_array_push(&tscf->values);
    node = ngx_array_push(nodes);

    if (cv == NULL || node == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(node, sizeof(ngx_egress_pick_node_t));

    node->name = *value;
    node->weight = 1;

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv->lengths == NULL
        && ngx_egress_conf_addr(cf, value, &addr, NGX_EGRESS_PORT_REQUIRED)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
