
/*
 * Copyright (C) ngx_egress authors
 *
 * divert_accept: reads the PROXY header of a trusted sender, and exactly that,
 * before anything else of the session happens.  It is the first handler of the
 * first phase, so realip, access rules, TLS and preread all come after it.
 */


#include "ngx_stream_divert.h"
#include "../ngx_egress_module/proto/ngx_egress_text.h"


#define NGX_STREAM_DIVERT_BUFFER  512      /* most headers are shorter */


typedef struct {
    ngx_flag_t     accept;
    ngx_array_t   *trusted;                /* of ngx_cidr_t, or NULL */
    ngx_msec_t     timeout;                /* of the whole header */
    size_t         max_size;
} ngx_stream_divert_accept_conf_t;


static ngx_int_t ngx_stream_divert_accept_handler(ngx_stream_session_t *s);
static ngx_int_t ngx_stream_divert_accept_begin(ngx_stream_session_t *s,
    ngx_stream_divert_accept_conf_t *dacf);
static void ngx_stream_divert_accept_event(ngx_event_t *rev);
static ngx_int_t ngx_stream_divert_accept_read(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx);
static ngx_int_t ngx_stream_divert_accept_parse(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx, size_t n);
static ngx_int_t ngx_stream_divert_accept_take(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx, size_t n);
static ngx_int_t ngx_stream_divert_accept_ended(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx);
static ngx_int_t ngx_stream_divert_accept_done(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx);
static ngx_int_t ngx_stream_divert_accept_tlvs(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx);
static ngx_int_t ngx_stream_divert_accept_target(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx, ngx_str_t *text);
static ngx_int_t ngx_stream_divert_accept_addrs(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx);
static ngx_int_t ngx_stream_divert_accept_addr(ngx_pool_t *pool,
    struct sockaddr *sa, ngx_str_t *text, in_port_t *port);
static void ngx_stream_divert_accept_identity(ngx_stream_session_t *s,
    ngx_egress_task_t *task);

static ngx_int_t ngx_stream_divert_accept_init(ngx_conf_t *cf);
static void *ngx_stream_divert_accept_create_conf(ngx_conf_t *cf);
static char *ngx_stream_divert_accept_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_divert_trusted(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_stream_divert_accept_commands[] = {

    { ngx_string("divert_accept"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_accept_conf_t, accept),
      NULL },

    { ngx_string("divert_trusted"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_divert_trusted,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("divert_accept_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_accept_conf_t, timeout),
      NULL },

    { ngx_string("divert_accept_max_size"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_divert_accept_conf_t, max_size),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_divert_accept_module_ctx = {
    ngx_stream_divert_add_variables,       /* preconfiguration */
    ngx_stream_divert_accept_init,         /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_divert_accept_create_conf,  /* create server configuration */
    ngx_stream_divert_accept_merge_conf    /* merge server configuration */
};


ngx_module_t  ngx_stream_divert_accept_module = {
    NGX_MODULE_V1,
    &ngx_stream_divert_accept_module_ctx,  /* module context */
    ngx_stream_divert_accept_commands,     /* module directives */
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


ngx_stream_divert_ctx_t *
ngx_stream_divert_get_ctx(ngx_stream_session_t *s)
{
    ngx_stream_divert_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_divert_accept_module);

    return (ctx && ctx->done) ? ctx : NULL;
}


static ngx_int_t
ngx_stream_divert_accept_handler(ngx_stream_session_t *s)
{
    ngx_int_t                         rc;
    ngx_connection_t                 *c;
    ngx_stream_divert_ctx_t          *ctx;
    ngx_stream_divert_accept_conf_t  *dacf;

    dacf = ngx_stream_get_module_srv_conf(s, ngx_stream_divert_accept_module);

    if (!dacf->accept || ngx_stream_divert_get_ctx(s)) {
        return NGX_DECLINED;
    }

    rc = ngx_stream_divert_accept_begin(s, dacf);
    if (rc != NGX_OK) {
        return rc;
    }

    c = s->connection;
    ctx = ngx_stream_get_module_ctx(s, ngx_stream_divert_accept_module);

    rc = ngx_stream_divert_accept_read(s, ctx);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(c->read, dacf->timeout);
        c->read->handler = ngx_stream_divert_accept_event;
    }

    return rc == NGX_OK ? NGX_DECLINED : rc;
}


static ngx_int_t
ngx_stream_divert_accept_begin(ngx_stream_session_t *s,
    ngx_stream_divert_accept_conf_t *dacf)
{
    ngx_connection_t         *c;
    ngx_stream_divert_ctx_t  *ctx;

    c = s->connection;

    if (ngx_cidr_match(c->sockaddr, dacf->trusted) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "%V is not in \"divert_trusted\"", &c->addr_text);
        return NGX_STREAM_FORBIDDEN;
    }

    if (c->type != SOCK_STREAM) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "\"divert_accept\" takes no datagrams");
        return NGX_STREAM_FORBIDDEN;
    }

    ctx = ngx_pcalloc(c->pool, sizeof(ngx_stream_divert_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->size = NGX_STREAM_DIVERT_BUFFER;

    ctx->buf = ngx_pnalloc(c->pool, ctx->size);
    if (ctx->buf == NULL) {
        return NGX_ERROR;
    }

    ngx_stream_set_ctx(s, ctx, ngx_stream_divert_accept_module);

    c->log->action = "reading PROXY header";

    return NGX_OK;
}


static void
ngx_stream_divert_accept_event(ngx_event_t *rev)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_stream_session_t     *s;
    ngx_stream_divert_ctx_t  *ctx;

    c = rev->data;
    s = c->data;

    if (c->close) {
        ngx_stream_finalize_session(s, NGX_STREAM_OK);
        return;
    }

    if (rev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "no complete PROXY header came in time");
        c->timedout = 1;
        ngx_stream_finalize_session(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_divert_accept_module);

    rc = ngx_stream_divert_accept_read(s, ctx);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc != NGX_OK) {
        ngx_stream_finalize_session(s, rc == NGX_ERROR
                                       ? NGX_STREAM_INTERNAL_SERVER_ERROR
                                       : rc);
        return;
    }

    ngx_del_timer(rev);

    /* our phase handler is called again, and passes */

    rev->handler = ngx_stream_session_handler;
    ngx_stream_core_run_phases(s);
}


/*
 * Bytes are looked at before they are taken: what follows the header belongs
 * to others.  NGX_OK, NGX_AGAIN, NGX_ERROR, or a status.
 */

static ngx_int_t
ngx_stream_divert_accept_read(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx)
{
    ssize_t            n;
    ngx_err_t          err;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = s->connection;

    for ( ;; ) {
        n = recv(c->fd, ctx->buf + ctx->len, ctx->size - ctx->len, MSG_PEEK);
        err = (n == -1) ? ngx_socket_errno : 0;

        ngx_log_debug2(NGX_LOG_DEBUG_STREAM, c->log, 0,
                       "divert: recv() peeked: %z after %uz", n, ctx->len);

        if (err == NGX_EINTR) {
            continue;
        }

        if (err == NGX_EAGAIN) {
            c->read->ready = 0;

            return ngx_handle_read_event(c->read, 0) == NGX_OK ? NGX_AGAIN
                                                               : NGX_ERROR;
        }

        if (err || n == 0) {
            (void) (err ? ngx_connection_error(c, err, "recv() failed") : 0);
            return ngx_stream_divert_accept_ended(c, ctx);
        }

        rc = ngx_stream_divert_accept_parse(s, ctx, n);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


/* n new bytes are in the buffer, and still in the socket as well */

static ngx_int_t
ngx_stream_divert_accept_parse(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx, size_t n)
{
    u_char                           *buf;
    ngx_int_t                         rc;
    ngx_connection_t                 *c;
    ngx_stream_divert_accept_conf_t  *dacf;

    c = s->connection;
    dacf = ngx_stream_get_module_srv_conf(s, ngx_stream_divert_accept_module);

    rc = ngx_egress_pp_read(&ctx->pp, ctx->buf, ctx->len + n, dacf->max_size);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "invalid PROXY header: %s",
                      ngx_egress_pp2_strerror(ctx->pp.error));
        return NGX_STREAM_BAD_REQUEST;
    }

    if (rc == NGX_OK) {
        rc = ngx_stream_divert_accept_take(c, ctx, ctx->pp.size - ctx->len);

        return rc == NGX_OK ? ngx_stream_divert_accept_done(s, ctx) : rc;
    }

    /* all of it is header */

    if (ngx_stream_divert_accept_take(c, ctx, n) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->pp.need <= ctx->size) {
        return NGX_AGAIN;
    }

    buf = ngx_pnalloc(c->pool, ctx->pp.need);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(buf, ctx->buf, ctx->len);

    ctx->buf = buf;
    ctx->size = ctx->pp.need;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_stream_divert_accept_take(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx, size_t n)
{
    ssize_t  rc;

    /*
     * not c->recv(): that may answer from what the last event has told, which
     * may be older than what was seen
     */

    do {
        rc = recv(c->fd, ctx->buf + ctx->len, n, 0);
    } while (rc == -1 && ngx_socket_errno == NGX_EINTR);

    if (rc != (ssize_t) n) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "recv() took %z of %uz bytes that it had shown", rc, n);
        return NGX_ERROR;
    }

    ctx->len += n;

    return NGX_OK;
}


/* Who says nothing at all only wanted to know whether somebody listens. */

static ngx_int_t
ngx_stream_divert_accept_ended(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx)
{
    if (ctx->len == 0) {
        return NGX_STREAM_OK;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "PROXY header ended after %uz bytes", ctx->len);

    return NGX_STREAM_BAD_REQUEST;
}


static ngx_int_t
ngx_stream_divert_accept_done(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_egress_pp2_t  *pp;
    ngx_connection_t  *c;

    c = s->connection;
    pp = &ctx->pp;

    /* the buffer may have moved since: read it where it stays */

    if (pp->local && pp->version == 2
        && ngx_egress_pp2_local_tlvs(pp, ctx->buf) != NGX_OK)
    {
        ngx_log_debug0(NGX_LOG_DEBUG_STREAM, c->log, 0,
                       "divert: LOCAL without TLVs");
    }

    rc = ngx_stream_divert_accept_tlvs(s, ctx);

    if (rc == NGX_OK && !pp->local) {
        rc = ngx_stream_divert_accept_addrs(c, ctx);
    }

    ctx->done = (rc == NGX_OK);

    return rc;
}


/* Those that say what the connection is have to be there once, or not. */

static ngx_int_t
ngx_stream_divert_accept_tlvs(ngx_stream_session_t *s,
    ngx_stream_divert_ctx_t *ctx)
{
    ngx_str_t          value;
    ngx_uint_t         type;
    ngx_connection_t  *c;

    c = s->connection;

    for (type = NGX_EGRESS_PP2_TARGET; type <= NGX_EGRESS_PP2_TASK_ID; type++)
    {
        if (ngx_egress_pp2_find(&ctx->pp.tlvs, type, &value) == NGX_ERROR) {
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "invalid PROXY header: TLV 0x%xi comes twice", type);
            return NGX_STREAM_BAD_REQUEST;
        }

        if (type == NGX_EGRESS_PP2_TASK_ID) {
            ctx->id = value;
        }
    }

    if (ctx->id.len && ctx->id.len != NGX_EGRESS_TASK_ID_LEN) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "invalid PROXY header: task id of %uz bytes",
                      ctx->id.len);
        return NGX_STREAM_BAD_REQUEST;
    }

    if (ngx_egress_pp2_find(&ctx->pp.tlvs, NGX_EGRESS_PP2_TARGET, &value)
        != NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_stream_divert_accept_target(c, ctx, &value);
}


/* One parser for all: a target that others would read differently is none. */

static ngx_int_t
ngx_stream_divert_accept_target(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx, ngx_str_t *text)
{
    u_char             *p, *buf, printable[NGX_EGRESS_TEXT_LEN];
    ngx_str_t           target;
    ngx_egress_addr_t   addr;

    buf = ngx_pnalloc(c->pool, ngx_max(text->len, NGX_EGRESS_IP_LEN)
                               + NGX_EGRESS_ADDR_LEN);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_addr_parse(&addr, buf, text->data, text->len,
                              NGX_EGRESS_PORT_REQUIRED)
        != NGX_OK)
    {
        ngx_egress_text(&target, printable, text);

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "invalid PROXY header: target \"%V\": %s", &target,
                      ngx_egress_addr_strerror(addr.error));
        return NGX_STREAM_BAD_REQUEST;
    }

    p = buf + ngx_max(text->len, NGX_EGRESS_IP_LEN);

    ctx->target.data = p;
    ctx->target.len = ngx_egress_addr_print(p, &addr) - p;

    return NGX_OK;
}


/* For realip, $proxy_protocol_* and all who look at the connection. */

static ngx_int_t
ngx_stream_divert_accept_addrs(ngx_connection_t *c,
    ngx_stream_divert_ctx_t *ctx)
{
    ngx_proxy_protocol_t  *pp;

    if (c->proxy_protocol
        || (ctx->pp.family != AF_INET && ctx->pp.family != AF_INET6))
    {
        return NGX_OK;
    }

    pp = ngx_pcalloc(c->pool, sizeof(ngx_proxy_protocol_t));
    if (pp == NULL) {
        return NGX_ERROR;
    }

    if (ngx_stream_divert_accept_addr(c->pool, &ctx->pp.src.sockaddr,
                                      &pp->src_addr, &pp->src_port)
        != NGX_OK
        || ngx_stream_divert_accept_addr(c->pool, &ctx->pp.dst.sockaddr,
                                         &pp->dst_addr, &pp->dst_port)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_egress_proxy_protocol_tlvs(pp, &ctx->pp.tlvs);

    c->proxy_protocol = pp;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_divert_accept_addr(ngx_pool_t *pool, struct sockaddr *sa,
    ngx_str_t *text, in_port_t *port)
{
    text->data = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sock_ntop(sa, 0, text->data, NGX_SOCKADDR_STRLEN, 0);
    *port = ngx_inet_get_port(sa);

    return NGX_OK;
}


/* The task is the sender's: one id in the logs of both, and the same user. */

static void
ngx_stream_divert_accept_identity(ngx_stream_session_t *s,
    ngx_egress_task_t *task)
{
    ngx_str_t                 user;
    ngx_stream_divert_ctx_t  *ctx;

    ctx = ngx_stream_divert_get_ctx(s);

    if (ctx == NULL) {
        return;
    }

    if (ctx->id.len) {
        ngx_memcpy(task->id, ctx->id.data, NGX_EGRESS_TASK_ID_LEN);
    }

    if (ngx_egress_pp2_find(&ctx->pp.tlvs, NGX_EGRESS_PP2_USERNAME, &user)
        == NGX_OK)
    {
        task->user = user;
    }
}


static ngx_int_t
ngx_stream_divert_accept_init(ngx_conf_t *cf)
{
    ngx_stream_handler_pt        *h;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    /* the last one added to a phase is the first one called */

    h = ngx_array_push(&cmcf->phases[NGX_STREAM_POST_ACCEPT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_stream_divert_accept_handler;

    ngx_stream_egress_identity = ngx_stream_divert_accept_identity;

    return NGX_OK;
}


static void *
ngx_stream_divert_accept_create_conf(ngx_conf_t *cf)
{
    ngx_stream_divert_accept_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_divert_accept_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->trusted = NULL;
     */

    conf->accept = NGX_CONF_UNSET;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->max_size = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_stream_divert_accept_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_divert_accept_conf_t *prev = parent;
    ngx_stream_divert_accept_conf_t *conf = child;

    ngx_stream_core_srv_conf_t  *cscf;

    ngx_conf_merge_value(conf->accept, prev->accept, 0);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 5000);
    ngx_conf_merge_size_value(conf->max_size, prev->max_size, 8192);

    if (conf->trusted == NULL) {
        conf->trusted = prev->trusted;
    }

    if (conf->accept && conf->trusted == NULL) {
        cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"divert_accept\" needs \"divert_trusted\" in the "
                      "server in %s:%ui", cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_divert_trusted(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_divert_accept_conf_t *dacf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    if (dacf->trusted == NULL) {
        dacf->trusted = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (dacf->trusted == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(dacf->trusted);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(cidr, sizeof(ngx_cidr_t));

        if (ngx_strcmp(value[i].data, "unix:") == 0) {
            cidr->family = AF_UNIX;
            continue;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address or network \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &value[i]);
        }
    }

    return NGX_CONF_OK;
}
