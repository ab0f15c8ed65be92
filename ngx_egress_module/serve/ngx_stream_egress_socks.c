
/*
 * Copyright (C) ngx_egress authors
 *
 * The conversation with a SOCKS client: greeting, user and password, request,
 * reply.  Bytes behind a request belong to the tunnel.  Datagrams of UDP
 * ASSOCIATE are not handled here.
 */


#include "ngx_stream_egress_socks.h"


#define NGX_STREAM_EGRESS_SOCKS_BUFFER  1024


static ngx_int_t ngx_stream_egress_socks_read_version(
    ngx_stream_egress_ctx_t *ctx, u_char **pos, u_char *last);
static void ngx_stream_egress_socks_start(ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_socks_read_socks4(
    ngx_stream_egress_ctx_t *ctx, u_char **pos, u_char *last);
static void ngx_stream_egress_socks_socks4(ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_socks_read_greeting(
    ngx_stream_egress_ctx_t *ctx, u_char **pos, u_char *last);
static void ngx_stream_egress_socks_choose(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_chosen(ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_socks_read_auth(
    ngx_stream_egress_ctx_t *ctx, u_char **pos, u_char *last);
static void ngx_stream_egress_socks_check(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_checked(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_expect(ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_socks_read_request(
    ngx_stream_egress_ctx_t *ctx, u_char **pos, u_char *last);
static void ngx_stream_egress_socks_socks5(ngx_stream_egress_ctx_t *ctx);

static void ngx_stream_egress_socks_run(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_addr_t *target);
static ngx_uint_t ngx_stream_egress_socks_allowed(
    ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_socks_target(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_addr_t *addr);
static void ngx_stream_egress_socks_connected(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_relay(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_failed(ngx_stream_egress_ctx_t *ctx);

static void ngx_stream_egress_socks_read(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_reader_pt reader, ngx_stream_egress_pt done);
static void ngx_stream_egress_socks_send(ngx_stream_egress_ctx_t *ctx,
    u_char *last, ngx_stream_egress_pt done);
static ngx_msec_t ngx_stream_egress_socks_left(ngx_stream_egress_socks_t *sk);
static void ngx_stream_egress_socks_invalid(ngx_stream_egress_ctx_t *ctx,
    ngx_uint_t error, ngx_egress_addr_t *addr);
static u_char *ngx_stream_egress_socks_reply(ngx_stream_egress_socks_t *sk,
    const ngx_egress_reason_t *reason, ngx_egress_addr_t *bound);


void
ngx_stream_egress_socks_handler(ngx_stream_session_t *s)
{
    ngx_stream_egress_ctx_t       *ctx;
    ngx_stream_egress_socks_t     *sk;
    ngx_stream_egress_srv_conf_t  *escf;

    ctx = ngx_stream_egress_create(s);
    if (ctx == NULL) {
        return;
    }

    sk = ngx_pcalloc(s->connection->pool, sizeof(ngx_stream_egress_socks_t));
    if (sk == NULL) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    escf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_module);

    sk->deadline = ngx_current_msec + escf->negotiation_timeout;

    ctx->data = sk;
    ctx->connected = ngx_stream_egress_socks_connected;
    ctx->failed = ngx_stream_egress_socks_failed;

    s->connection->log->action = "reading SOCKS request";

    ngx_stream_egress_socks_read(ctx, ngx_stream_egress_socks_read_version,
                                 ngx_stream_egress_socks_start);
}


/* Looks at the first byte; the codecs want to see it, too. */

static ngx_int_t
ngx_stream_egress_socks_read_version(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    if (*pos == last) {
        return NGX_AGAIN;
    }

    sk->version = **pos;

    if (sk->version == 4 || sk->version == 5) {
        return NGX_OK;
    }

    ngx_stream_egress_socks_invalid(ctx, NGX_EGRESS_SOCKS_VERSION, NULL);

    return NGX_ERROR;
}


static void
ngx_stream_egress_socks_start(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    if (sk->version == 5) {
        ngx_stream_egress_socks_read(ctx,
                                     ngx_stream_egress_socks_read_greeting,
                                     ngx_stream_egress_socks_choose);
        return;
    }

    sk->stage = ngx_stream_egress_socks_request;

    ngx_stream_egress_socks_read(ctx, ngx_stream_egress_socks_read_socks4,
                                 ngx_stream_egress_socks_socks4);
}


static ngx_int_t
ngx_stream_egress_socks_read_socks4(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_int_t  rc;

    rc = ngx_egress_socks4_request(&sk->in.socks4, pos, last);

    if (rc == NGX_ERROR) {
        ngx_stream_egress_socks_invalid(ctx, sk->in.socks4.error,
                                        &sk->in.socks4.addr);
    }

    return rc;
}


static void
ngx_stream_egress_socks_socks4(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    sk->command = sk->in.socks4.command;

    ngx_stream_egress_socks_run(ctx, &sk->in.socks4.addr);
}


static ngx_int_t
ngx_stream_egress_socks_read_greeting(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_int_t  rc;

    rc = ngx_egress_socks5_greeting(&sk->in.greeting, pos, last);

    if (rc == NGX_ERROR) {
        ngx_stream_egress_socks_invalid(ctx, sk->in.greeting.frame.error,
                                        NULL);
    }

    return rc;
}


/* Who has users wants to know them; who has none does not ask. */

static void
ngx_stream_egress_socks_choose(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    u_char                        *p;
    ngx_uint_t                     method;
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_module);

    method = escf->authenticate ? NGX_EGRESS_SOCKS5_USERPASS
                                : NGX_EGRESS_SOCKS5_NO_AUTH;

    if (!ngx_egress_socks5_offers(&sk->in.greeting, method)) {
        ngx_log_error(NGX_LOG_INFO, ctx->task->log, 0,
                      "client offers no acceptable SOCKS5 method");

        p = ngx_egress_socks5_choice(sk->out,
                                     NGX_EGRESS_SOCKS5_NONE_ACCEPTABLE);

        ngx_egress_task_close(ctx->task, NGX_EGRESS_AUTH_REQUIRED);
        ngx_stream_egress_farewell(ctx, sk->out, p - sk->out);
        return;
    }

    p = ngx_egress_socks5_choice(sk->out, method);

    ngx_stream_egress_socks_send(ctx, p, method == NGX_EGRESS_SOCKS5_USERPASS
                                         ? ngx_stream_egress_socks_chosen
                                         : ngx_stream_egress_socks_expect);
}


static void
ngx_stream_egress_socks_chosen(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    sk->stage = ngx_stream_egress_socks_auth;

    ngx_memzero(&sk->in.auth, sizeof(ngx_egress_socks5_auth_t));

    ngx_stream_egress_socks_read(ctx, ngx_stream_egress_socks_read_auth,
                                 ngx_stream_egress_socks_check);
}


static ngx_int_t
ngx_stream_egress_socks_read_auth(ngx_stream_egress_ctx_t *ctx, u_char **pos,
    u_char *last)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_int_t  rc;

    rc = ngx_egress_socks5_auth(&sk->in.auth, pos, last);

    if (rc == NGX_ERROR) {
        ngx_stream_egress_socks_invalid(ctx, sk->in.auth.frame.error, NULL);
    }

    return rc;
}


static void
ngx_stream_egress_socks_check(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_stream_egress_srv_conf_t  *escf;

    escf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_module);

    ngx_stream_egress_hold(ctx);

    escf->authenticate(ctx, &sk->in.auth.user, &sk->in.auth.password,
                       ngx_stream_egress_socks_checked);
}


static void
ngx_stream_egress_socks_checked(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    u_char  *p;

    /* the password has done its duty */

    ngx_explicit_memzero(&sk->in.auth, sizeof(ngx_egress_socks5_auth_t));

    if (ctx->task->user.len == 0) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_AUTH_REQUIRED);
        return;
    }

    p = ngx_egress_socks5_auth_status(sk->out, 1);

    ngx_stream_egress_socks_send(ctx, p, ngx_stream_egress_socks_expect);
}


static void
ngx_stream_egress_socks_expect(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    sk->stage = ngx_stream_egress_socks_request;

    ngx_memzero(&sk->in.request, sizeof(ngx_egress_socks5_request_t));

    ngx_stream_egress_socks_read(ctx, ngx_stream_egress_socks_read_request,
                                 ngx_stream_egress_socks_socks5);
}


static ngx_int_t
ngx_stream_egress_socks_read_request(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_int_t                     rc;
    ngx_egress_socks5_request_t  *rq;

    rq = &sk->in.request;

    rc = ngx_egress_socks5_request(rq, pos, last);

    if (rc == NGX_ERROR) {

        if (rq->frame.error == NGX_EGRESS_SOCKS_ATYP) {
            sk->code = NGX_EGRESS_SOCKS5_BAD_ATYP;
        }

        ngx_stream_egress_socks_invalid(ctx, rq->frame.error, &rq->addr);
    }

    return rc;
}


static void
ngx_stream_egress_socks_socks5(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    sk->command = sk->in.request.command;

    ngx_stream_egress_socks_run(ctx, &sk->in.request.addr);
}


static void
ngx_stream_egress_socks_run(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_addr_t *target)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_uint_t  reason;

    if (ngx_stream_egress_socks_target(ctx, target) != NGX_OK) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    reason = ngx_stream_egress_socks_allowed(ctx);

    if (reason) {
        ngx_stream_egress_refuse(ctx, reason);
        return;
    }

    if (sk->command == NGX_EGRESS_SOCKS_UDP_ASSOCIATE) {
        ngx_stream_egress_socks_associate(ctx);
        return;
    }

    ngx_stream_egress_connect(ctx);
}


/* The user of SOCKS4 is what the client claims: nobody may rely on it. */

static ngx_uint_t
ngx_stream_egress_socks_allowed(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_stream_egress_srv_conf_t    *escf;
    ngx_stream_egress_socks_conf_t  *scf;

    escf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_module);
    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_socks_module);

    if (sk->version == 4 && !scf->socks4) {
        ngx_log_error(NGX_LOG_INFO, ctx->task->log, 0,
                      "client speaks SOCKS4, which is off");

        return NGX_EGRESS_FORBIDDEN;
    }

    if (sk->version == 4 && escf->authenticate) {
        return NGX_EGRESS_AUTH_REQUIRED;
    }

    if (sk->command == NGX_EGRESS_SOCKS_UDP_ASSOCIATE
        && scf->udp != NGX_STREAM_EGRESS_SOCKS_UDP_OFF)
    {
        return NGX_EGRESS_NONE;
    }

    if (sk->command != NGX_EGRESS_SOCKS_CONNECT) {
        ngx_log_error(NGX_LOG_INFO, ctx->task->log, 0,
                      "SOCKS command %ui is not supported", sk->command);

        return NGX_EGRESS_UNSUPPORTED;
    }

    return NGX_EGRESS_NONE;
}


/* The request goes when the relay begins, the target stays. */

static ngx_int_t
ngx_stream_egress_socks_target(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_addr_t *addr)
{
    ngx_egress_task_t  *task;

    task = ctx->task;

    task->target = *addr;

    task->target.host.data = ngx_pnalloc(task->pool, addr->host.len);
    if (task->target.host.data == NULL) {
        task->target.host.len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(task->target.host.data, addr->host.data, addr->host.len);

    return NGX_OK;
}


static void
ngx_stream_egress_socks_connected(ngx_stream_egress_ctx_t *ctx)
{
    u_char              text[NGX_EGRESS_IP_LEN];
    struct sockaddr    *local;
    ngx_egress_addr_t   bound;

    local = ctx->task->peer->local_sockaddr;

    if (local == NULL
        || ngx_egress_addr_from_sockaddr(&bound, text, local) != NGX_OK)
    {
        ngx_stream_egress_socks_grant(ctx, NULL,
                                      ngx_stream_egress_socks_relay);
        return;
    }

    ngx_stream_egress_socks_grant(ctx, &bound, ngx_stream_egress_socks_relay);
}


void
ngx_stream_egress_socks_grant(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_addr_t *bound, ngx_stream_egress_pt done)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    u_char                        *p;
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_module);

    p = ngx_stream_egress_socks_reply(sk, ngx_egress_reason(NGX_EGRESS_NONE),
                                      bound);

    sk->stage = ngx_stream_egress_socks_answered;

    /* connecting took time that is not the client's fault */

    ngx_stream_egress_send(ctx, sk->out, p - sk->out,
                           escf->negotiation_timeout, done);
}


static void
ngx_stream_egress_socks_relay(ngx_stream_egress_ctx_t *ctx)
{
    (void) ngx_pfree(ctx->session->connection->pool, ctx->data);
    ctx->data = NULL;

    ngx_stream_egress_relay(ctx);
}


static void
ngx_stream_egress_socks_failed(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    u_char  *p;

    switch (sk->stage) {

    case ngx_stream_egress_socks_auth:
        p = ngx_egress_socks5_auth_status(sk->out, 0);
        break;

    case ngx_stream_egress_socks_request:
        p = ngx_stream_egress_socks_reply(sk,
                                          ngx_egress_reason(ctx->task->reason),
                                          NULL);
        break;

    default:
        ngx_stream_egress_finalize(ctx);
        return;
    }

    ngx_stream_egress_farewell(ctx, sk->out, p - sk->out);
}


static void
ngx_stream_egress_socks_read(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_reader_pt reader, ngx_stream_egress_pt done)
{
    ngx_stream_egress_read(ctx, reader, NGX_STREAM_EGRESS_SOCKS_BUFFER,
                           ngx_stream_egress_socks_left(ctx->data), done);
}


static void
ngx_stream_egress_socks_send(ngx_stream_egress_ctx_t *ctx, u_char *last,
    ngx_stream_egress_pt done)
{
    ngx_stream_egress_socks_t *sk = ctx->data;

    ngx_stream_egress_send(ctx, sk->out, last - sk->out,
                           ngx_stream_egress_socks_left(sk), done);
}


/* One deadline for all messages: who sends them slowly gains nothing. */

static ngx_msec_t
ngx_stream_egress_socks_left(ngx_stream_egress_socks_t *sk)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (sk->deadline - ngx_current_msec);

    return ngx_max(left, 1);
}


static void
ngx_stream_egress_socks_invalid(ngx_stream_egress_ctx_t *ctx,
    ngx_uint_t error, ngx_egress_addr_t *addr)
{
    char  *text;

    text = ngx_egress_socks_strerror(error);

    switch (error) {

    case NGX_EGRESS_SOCKS_HOST:
        text = ngx_egress_addr_strerror(addr->error);

        /* fall through */

    case NGX_EGRESS_SOCKS_PORT:
        ctx->task->reason = NGX_EGRESS_BAD_TARGET;
        break;

    default:
        ctx->task->reason = NGX_EGRESS_BAD_REQUEST;
    }

    ngx_log_error(NGX_LOG_INFO, ctx->task->log, 0,
                  "client sent invalid SOCKS message: %s", text);
}


static u_char *
ngx_stream_egress_socks_reply(ngx_stream_egress_socks_t *sk,
    const ngx_egress_reason_t *reason, ngx_egress_addr_t *bound)
{
    if (sk->version == 4) {
        return ngx_egress_socks4_reply(sk->out, reason->socks4, bound);
    }

    return ngx_egress_socks5_reply(sk->out,
                                   sk->code ? sk->code : reason->socks5,
                                   bound);
}
