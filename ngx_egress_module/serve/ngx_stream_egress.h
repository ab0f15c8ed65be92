/*
 * Copyright (C) ngx_egress authors
 *
 * What the servers of stream { } share.  One file, one module and one
 * directive per server type; it learns the target and hands the session over
 * to the common flow:
 *
 *     ngx_stream_egress_create()     the context and its task
 *     ... the type reads its protocol and fills ctx->task->target
 *     ngx_stream_egress_connect()    runs the task; then one of
 *         ctx->connected()           reply, then ngx_stream_egress_relay()
 *         ctx->failed()              reply, then ngx_stream_egress_finalize()
 *
 *     ngx_stream_egress_module.c     directives all types have, variables
 *     ngx_stream_egress_session.c    the flow
 *     ngx_stream_egress_read.c       bytes of the client into a reader
 *     ngx_stream_egress_open.c       the check against open proxies
 *     ngx_stream_egress_log.c        egress_task_log
 *     ngx_stream_egress_user.c       who the client is
 *     ngx_stream_egress_X.c          server type X
 */

#ifndef _NGX_STREAM_EGRESS_H_INCLUDED_
#define _NGX_STREAM_EGRESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "../ngx_egress.h"
#include "../user/ngx_egress_user_group.h"


typedef struct ngx_stream_egress_ctx_s  ngx_stream_egress_ctx_t;
typedef struct ngx_stream_egress_io_s   ngx_stream_egress_io_t;

typedef void (*ngx_stream_egress_pt)(ngx_stream_egress_ctx_t *ctx);

/*
 * Finds out whether a client is who it says it is, then calls done(), perhaps
 * before it returns: ctx->task->user is set, or it is nobody.  user and
 * password stay until then.
 */
typedef void (*ngx_stream_egress_auth_pt)(ngx_stream_egress_ctx_t *ctx,
    ngx_str_t *user, ngx_str_t *password, ngx_stream_egress_pt done);


/* An escaper by name, or by variables that give a name. */
typedef struct {
    ngx_egress_escaper_t        *escaper;   /* NULL: look at value */
    ngx_stream_complex_value_t  *value;     /* NULL, too: not set */
} ngx_stream_egress_escaper_t;


/* Of the common module. */
typedef struct {
    ngx_stream_egress_escaper_t  escaper;   /* of the server type */
    ngx_egress_object_t          where;     /* of its directive; the name is
                                               that of the directive */
    ngx_stream_content_handler_pt  handler; /* that the directive has set */
    ngx_flag_t                   open_proxy;
    ngx_uint_t                   mapped;    /* the type's targets come from
                                               the configuration: anybody may
                                               come */
    ngx_uint_t                   users;     /* the type can ask who comes */
    ngx_egress_user_group_t     *group;     /* NULL: there are no users */
    ngx_stream_egress_auth_pt    authenticate;  /* then NULL, too */
    ngx_msec_t                   negotiation_timeout;
    ngx_msec_t                   idle_timeout;
    size_t                       upload_rate;
    size_t                       download_rate;
} ngx_stream_egress_srv_conf_t;


/* One session; in its pool. */
struct ngx_stream_egress_ctx_s {
    ngx_stream_session_t        *session;
    ngx_egress_task_t           *task;      /* never NULL */

    ngx_stream_egress_pt         connected; /* of the type */
    ngx_stream_egress_pt         failed;    /* of the type; NULL: no reply.
                                               task->reason says why */
    void                        *data;      /* of the type */

    ngx_buf_t                   *buffer;    /* see ngx_stream_egress_read() */
    ngx_stream_egress_io_t      *io;        /* of it */

    unsigned                     relaying:1;
};


/*
 * For the setter of a server type's directive: makes its handler the content
 * handler, and value[1] the escaper.  A phrase on an error.
 */
char *ngx_stream_egress_set_server(ngx_conf_t *cf,
    ngx_stream_content_handler_pt handler, ngx_uint_t mapped);

/* The same for a type that has no escaper. */
char *ngx_stream_egress_set_handler(ngx_conf_t *cf,
    ngx_stream_content_handler_pt handler, ngx_uint_t mapped);

/*
 * Somebody before us in the chain may know who the client is: whoever reads
 * that in an earlier phase sets id and user of each new task.  NULL: nobody.
 */
typedef void (*ngx_stream_egress_identity_pt)(ngx_stream_session_t *s,
    ngx_egress_task_t *task);

extern ngx_stream_egress_identity_pt  ngx_stream_egress_identity;

/* Called from the content handler; NULL: the session is finalized. */
ngx_stream_egress_ctx_t *ngx_stream_egress_create(ngx_stream_session_t *s);

/*
 * Limits from the configuration, then the task runs.  Before: task->target
 * filled, connected and failed set.  ctx may be gone when it returns.
 */
void ngx_stream_egress_connect(ngx_stream_egress_ctx_t *ctx);

/*
 * While something else is waited for: the session ends when the core wants it
 * to or the client goes away.
 */
void ngx_stream_egress_hold(ngx_stream_egress_ctx_t *ctx);

/*
 * The part of ngx_stream_egress_connect() before the task runs, for a type
 * that has no escaper: limits, log, ngx_stream_egress_hold().  NGX_DONE: the
 * client has gone, ctx is finalized.
 */
ngx_int_t ngx_stream_egress_begin(ngx_stream_egress_ctx_t *ctx);

/*
 * Starts the relay with what is left in ctx->buffer, or from the preread
 * phase, as early data (the buffer is freed).  ctx may be gone when it returns.
 */
void ngx_stream_egress_relay(ngx_stream_egress_ctx_t *ctx);

/* A refusal by the type itself: closes the task and calls ctx->failed(). */
void ngx_stream_egress_refuse(ngx_stream_egress_ctx_t *ctx,
    ngx_uint_t reason);

/* Ends the session with the status that stands for task->reason. */
void ngx_stream_egress_finalize(ngx_stream_egress_ctx_t *ctx);

/*
 * Sends the last words of a type and finalizes the session; what the socket
 * does not take at once is dropped.
 */
void ngx_stream_egress_farewell(ngx_stream_egress_ctx_t *ctx, u_char *p,
    size_t len);

ngx_stream_egress_ctx_t *ngx_stream_egress_get_ctx(ngx_stream_session_t *s);

/*
 * The address the client has connected to, which is not that of the listener
 * when egress_intelli_proxy has handed the connection over.  0: not known.
 */
socklen_t ngx_stream_egress_local(ngx_connection_t *c, ngx_sockaddr_t *sa);


/*
 * Reading a protocol.  ngx_stream_egress_read() gives the bytes of ctx->buffer
 * to "reader", first those that came with the preread phase, then what the
 * client sends, until it is through; then done() is called once.
 *
 * reader: consumes from *pos up to last; NGX_OK: complete, the rest stays in
 * the buffer; NGX_AGAIN: more; NGX_ERROR: malformed, becomes reason
 * BAD_REQUEST unless the task has one.  What is not consumed is given again,
 * together with what came after it, perhaps at another place: up to "size"
 * bytes, more are a BAD_REQUEST.  timeout: of the whole message.
 */

typedef ngx_int_t (*ngx_stream_egress_reader_pt)(ngx_stream_egress_ctx_t *ctx,
    u_char **pos, u_char *last);

void ngx_stream_egress_read(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_reader_pt reader, size_t size, ngx_msec_t timeout,
    ngx_stream_egress_pt done);


/*
 * Sends all of a short message (it must stay where it is), then calls done().
 * timeout: of the whole message.
 */
void ngx_stream_egress_send(ngx_stream_egress_ctx_t *ctx, u_char *p,
    size_t len, ngx_msec_t timeout, ngx_stream_egress_pt done);


/* One server of one listening address, whatever handler it has. */
typedef struct {
    ngx_stream_conf_ctx_t       *ctx;       /* of the server */
    struct sockaddr             *sockaddr;
    socklen_t                    socklen;
    ngx_str_t                   *text;
    unsigned                     ssl:1;
    unsigned                     udp:1;
    unsigned                     first:1;   /* it is the default server */
} ngx_stream_egress_listen_t;

typedef ngx_int_t (*ngx_stream_egress_listen_pt)(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data);

/*
 * Configuration time, from postconfiguration on: calls handler() for all of
 * stream { } until one is not NGX_OK, which then is NGX_ERROR.
 */
ngx_int_t ngx_stream_egress_each_listen(ngx_conf_t *cf,
    ngx_stream_egress_listen_pt handler, void *data);

/* An ngx_stream_egress_auth_pt that asks escf->group. */
void ngx_stream_egress_authenticate(ngx_stream_egress_ctx_t *ctx,
    ngx_str_t *user, ngx_str_t *password, ngx_stream_egress_pt done);


/* Configuration time. */
char *ngx_stream_egress_user_group(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_stream_egress_user_group_merge(ngx_conf_t *cf,
    ngx_stream_egress_srv_conf_t *prev, ngx_stream_egress_srv_conf_t *conf);
ngx_int_t ngx_stream_egress_open_check(ngx_conf_t *cf);
ngx_int_t ngx_stream_egress_add_variables(ngx_conf_t *cf);


extern ngx_module_t  ngx_stream_egress_module;


#endif /* _NGX_STREAM_EGRESS_H_INCLUDED_ */
