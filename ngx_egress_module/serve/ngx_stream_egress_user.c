
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_user_group of stream: answers the server types that ask who their
 * client is.  Speaks no protocol.
 */


#include "ngx_stream_egress.h"


/* Who was wrong gets to know it later. */

typedef struct {
    ngx_event_t              event;     /* data: the client connection */
    ngx_stream_egress_pt     done;
} ngx_stream_egress_user_wait_t;


static void ngx_stream_egress_user_wait(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_pt done);
static void ngx_stream_egress_user_waited(ngx_event_t *ev);
static void ngx_stream_egress_user_cleanup(void *data);


void
ngx_stream_egress_authenticate(ngx_stream_egress_ctx_t *ctx, ngx_str_t *user,
    ngx_str_t *password, ngx_stream_egress_pt done)
{
    ngx_egress_task_t             *task;
    ngx_egress_user_t             *known;
    ngx_stream_egress_srv_conf_t  *escf;

    task = ctx->task;

    /* what somebody before us in the chain said does not count here */

    ngx_str_null(&task->user);

    escf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_module);

    known = ngx_egress_user_check(escf->group, user, password);

    if (known == NULL) {
        ngx_log_error(NGX_LOG_INFO, task->log, 0,
                      "client sent wrong credentials");

        ngx_stream_egress_user_wait(ctx, done);
        return;
    }

    task->user = known->node.str;

    done(ctx);
}


static void
ngx_stream_egress_user_wait(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_pt done)
{
    ngx_pool_cleanup_t             *cln;
    ngx_stream_egress_user_wait_t  *wait;

    cln = ngx_pool_cleanup_add(ctx->session->connection->pool,
                               sizeof(ngx_stream_egress_user_wait_t));
    if (cln == NULL) {
        done(ctx);
        return;
    }

    wait = cln->data;
    ngx_memzero(wait, sizeof(ngx_stream_egress_user_wait_t));

    wait->done = done;
    wait->event.handler = ngx_stream_egress_user_waited;
    wait->event.data = ctx->session->connection;
    wait->event.log = ctx->session->connection->log;

    cln->handler = ngx_stream_egress_user_cleanup;

    ngx_add_timer(&wait->event, NGX_EGRESS_USER_DELAY);
}


static void
ngx_stream_egress_user_waited(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_stream_egress_ctx_t        *ctx;
    ngx_stream_egress_user_wait_t  *wait;

    wait = (ngx_stream_egress_user_wait_t *) ev;

    c = ev->data;
    ctx = ngx_stream_egress_get_ctx(c->data);

    /* the client went away, and its TLS takes time to close */

    if (ctx->task->state == ngx_egress_task_closed) {
        return;
    }

    wait->done(ctx);
}


static void
ngx_stream_egress_user_cleanup(void *data)
{
    ngx_stream_egress_user_wait_t *wait = data;

    if (wait->event.timer_set) {
        ngx_del_timer(&wait->event);
    }
}


char *
ngx_stream_egress_user_group(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_srv_conf_t *escf = conf;

    return ngx_egress_user_group_set(cf, &escf->group);
}


char *
ngx_stream_egress_user_group_merge(ngx_conf_t *cf,
    ngx_stream_egress_srv_conf_t *prev, ngx_stream_egress_srv_conf_t *conf)
{
    ngx_egress_user_group_t  *own;

    own = conf->group;

    ngx_conf_merge_ptr_value(conf->group, prev->group, NULL);

    if (conf->users) {
        conf->authenticate = conf->group ? ngx_stream_egress_authenticate
                                         : NULL;
        return NGX_CONF_OK;
    }

    /* an inherited one is meant for those servers that can ask */

    if (own != NGX_CONF_UNSET_PTR && own != NULL && conf->where.name.len) {
        return ngx_egress_conf_error(cf, &conf->where,
                                     "\"egress_user_group\" cannot be used "
                                     "with \"%V\", its clients have no way "
                                     "to say who they are,",
                                     &conf->where.name);
    }

    return NGX_CONF_OK;
}
