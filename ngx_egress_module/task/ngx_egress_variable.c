
/*
 * Copyright (C) ngx_egress authors
 *
 * What of a task can be logged: one row and one getter a variable.  http and
 * stream publish the same table.
 */


#include "ngx_egress_task_log.h"
#include "../proto/ngx_egress_uuid.h"


static ngx_int_t ngx_egress_variable_task_id(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_task_event(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_user(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_escaper(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_host(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_port(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_addr(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_bind(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_reason(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_path(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_resolve_time(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_connect_time(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_tls_time(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_ready_time(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_bytes_sent(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_bytes_received(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_egress_variable_would_deny(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);

static ngx_int_t ngx_egress_variable_time(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value, ngx_msec_t stamp);
static ngx_int_t ngx_egress_variable_bytes(ngx_pool_t *pool, ngx_str_t *value,
    off_t bytes);
static ngx_int_t ngx_egress_variable_copy(ngx_str_t *value, ngx_str_t *from);


ngx_egress_variable_t  ngx_egress_variables[] = {
    { ngx_string("egress_task_id"), ngx_egress_variable_task_id },
    { ngx_string("egress_task_event"), ngx_egress_variable_task_event },
    { ngx_string("egress_user"), ngx_egress_variable_user },
    { ngx_string("egress_escaper"), ngx_egress_variable_escaper },
    { ngx_string("egress_host"), ngx_egress_variable_host },
    { ngx_string("egress_port"), ngx_egress_variable_port },
    { ngx_string("egress_addr"), ngx_egress_variable_addr },
    { ngx_string("egress_bind"), ngx_egress_variable_bind },
    { ngx_string("egress_reason"), ngx_egress_variable_reason },
    { ngx_string("egress_path"), ngx_egress_variable_path },
    { ngx_string("egress_resolve_time"), ngx_egress_variable_resolve_time },
    { ngx_string("egress_connect_time"), ngx_egress_variable_connect_time },
    { ngx_string("egress_tls_time"), ngx_egress_variable_tls_time },
    { ngx_string("egress_ready_time"), ngx_egress_variable_ready_time },
    { ngx_string("egress_bytes_sent"), ngx_egress_variable_bytes_sent },
    { ngx_string("egress_bytes_received"),
      ngx_egress_variable_bytes_received },
    { ngx_string("egress_would_deny"), ngx_egress_variable_would_deny },
    { ngx_null_string, NULL }
};


static ngx_int_t
ngx_egress_variable_task_id(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    value->data = ngx_pnalloc(pool, NGX_EGRESS_TASK_ID_TEXT);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_egress_uuid_print(value->data, task->id) - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_variable_task_event(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    ngx_str_t  *event;

    event = ngx_egress_task_log_event(task);
    if (event == NULL) {
        return NGX_DECLINED;
    }

    *value = *event;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_variable_user(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_copy(value, &task->user);
}


static ngx_int_t
ngx_egress_variable_escaper(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (task->escaper == NULL) {
        return NGX_DECLINED;
    }

    return ngx_egress_variable_copy(value, &task->escaper->object.name);
}


static ngx_int_t
ngx_egress_variable_host(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_copy(value, &task->target.host);
}


static ngx_int_t
ngx_egress_variable_port(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (task->target.port == 0) {
        return NGX_DECLINED;
    }

    value->data = ngx_pnalloc(pool, sizeof("65535") - 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%ui",
                             (ngx_uint_t) task->target.port)
                 - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_variable_addr(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (task->hop == NULL) {
        return NGX_DECLINED;
    }

    return ngx_egress_variable_copy(value, &task->hop->peer);
}


static ngx_int_t
ngx_egress_variable_bind(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (task->hop == NULL) {
        return NGX_DECLINED;
    }

    return ngx_egress_variable_copy(value, &task->hop->local);
}


static ngx_int_t
ngx_egress_variable_reason(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (task->reason == NGX_EGRESS_NONE) {
        return NGX_DECLINED;
    }

    *value = ngx_egress_reason(task->reason)->name;

    return NGX_OK;
}


/* the values as a dictionary, in the syntax of the path selection header */

static ngx_int_t
ngx_egress_variable_path(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    size_t              len;
    u_char             *p;
    ngx_uint_t          i;
    ngx_egress_path_t  *path;

    if (task->path == NULL || task->path->nelts == 0) {
        return NGX_DECLINED;
    }

    path = task->path->elts;
    len = 0;

    for (i = 0; i < task->path->nelts; i++) {
        len += path[i].escaper.len + path[i].value.len + NGX_INT_T_LEN
               + NGX_EGRESS_ADDR_LEN + sizeof(", =\"\"");
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    for (i = 0; i < task->path->nelts; i++) {
        p = ngx_sprintf(p, "%s%V=", i ? ", " : "", &path[i].escaper);

        switch (path[i].kind) {

        case NGX_EGRESS_PATH_NUMBER:
            p = ngx_sprintf(p, "%ui", path[i].number);
            break;

        case NGX_EGRESS_PATH_UPSTREAM:
            p = ngx_egress_addr_print(p, &path[i].addr);
            break;

        default:
            p = ngx_sprintf(p, "\"%V\"", &path[i].value);
        }
    }

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_variable_resolve_time(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_time(task, pool, value, task->times.resolved);
}


static ngx_int_t
ngx_egress_variable_connect_time(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_time(task, pool, value, task->times.connected);
}


static ngx_int_t
ngx_egress_variable_tls_time(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_time(task, pool, value, task->times.tls);
}


static ngx_int_t
ngx_egress_variable_ready_time(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_time(task, pool, value, task->times.ready);
}


static ngx_int_t
ngx_egress_variable_bytes_sent(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    ngx_egress_task_count(task);

    return ngx_egress_variable_bytes(pool, value, task->bytes_sent);
}


static ngx_int_t
ngx_egress_variable_bytes_received(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    ngx_egress_task_count(task);

    return ngx_egress_variable_bytes(pool, value, task->bytes_received);
}


static ngx_int_t
ngx_egress_variable_would_deny(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value)
{
    return ngx_egress_variable_copy(value, &task->would_deny);
}


/* seconds since the task was made, in the manner of $upstream_*_time */

static ngx_int_t
ngx_egress_variable_time(ngx_egress_task_t *task, ngx_pool_t *pool,
    ngx_str_t *value, ngx_msec_t stamp)
{
    ngx_msec_int_t  ms;

    if (stamp == 0) {
        return NGX_DECLINED;
    }

    value->data = ngx_pnalloc(pool, NGX_TIME_T_LEN + 4);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ms = (ngx_msec_int_t) (stamp - task->times.start);
    ms = ngx_max(ms, 0);

    value->len = ngx_sprintf(value->data, "%T.%03M", (time_t) ms / 1000,
                             (ngx_msec_t) ms % 1000)
                 - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_variable_bytes(ngx_pool_t *pool, ngx_str_t *value, off_t bytes)
{
    value->data = ngx_pnalloc(pool, NGX_OFF_T_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%O", bytes) - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_egress_variable_copy(ngx_str_t *value, ngx_str_t *from)
{
    if (from->len == 0) {
        return NGX_DECLINED;
    }

    *value = *from;

    return NGX_OK;
}
