
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log: when a line about a task is due, and where it goes.  What
 * it says is up to the server.
 */


#include "ngx_egress_task_log.h"
#include "../proto/ngx_egress_text.h"


static void ngx_egress_task_log_due(ngx_egress_task_log_t *tl,
    ngx_egress_task_log_e event);
static void ngx_egress_task_log_handler(ngx_event_t *ev);
static void ngx_egress_task_log_file(ngx_open_file_t *file, ngx_log_t *log,
    u_char *p, size_t len);
static void ngx_egress_task_log_syslog(ngx_syslog_peer_t *peer,
    ngx_log_t *log, u_char *p, size_t len);

static char *ngx_egress_task_log_to(ngx_conf_t *cf,
    ngx_egress_task_log_conf_t *conf, ngx_str_t *value);


static ngx_str_t  ngx_egress_task_log_events[] = {
    ngx_string("created"),
    ngx_string("connected"),
    ngx_string("periodic")
};


void
ngx_egress_task_log(ngx_egress_task_t *task, ngx_egress_task_log_conf_t *conf,
    ngx_egress_task_log_e event, ngx_egress_task_log_pt write, void *data)
{
    ngx_egress_task_log_t  *tl;

    if (conf->events == 0) {
        return;
    }

    tl = task->task_log;

    if (tl == NULL) {
        tl = ngx_pcalloc(task->pool, sizeof(ngx_egress_task_log_t));
        if (tl == NULL) {
            return;
        }

        tl->task = task;
        tl->conf = conf;
        tl->write = write;
        tl->data = data;
        tl->ident = -1;

        tl->timer.handler = ngx_egress_task_log_handler;
        tl->timer.data = tl;
        tl->timer.log = task->log;
        tl->timer.cancelable = 1;

        task->task_log = tl;
    }

    ngx_egress_task_log_due(tl, event);
}


static void
ngx_egress_task_log_due(ngx_egress_task_log_t *tl, ngx_egress_task_log_e event)
{
    if (event != ngx_egress_task_log_created && tl->conf->interval) {
        ngx_add_timer(&tl->timer, tl->conf->interval);
    }

    if (tl->conf->events & (1 << event)) {
        tl->event = event;
        tl->write(tl->task, tl->data);
    }
}


static void
ngx_egress_task_log_handler(ngx_event_t *ev)
{
    ngx_egress_task_log_due(ev->data, ngx_egress_task_log_periodic);
}


void
ngx_egress_task_log_stop(ngx_egress_task_t *task)
{
    if (task->task_log && task->task_log->timer.timer_set) {
        ngx_del_timer(&task->task_log->timer);
    }
}


ngx_str_t *
ngx_egress_task_log_event(ngx_egress_task_t *task)
{
    if (task->task_log == NULL) {
        return NULL;
    }

    return &ngx_egress_task_log_events[task->task_log->event];
}


/* A name that a client has sent may hold anything, a line feed too. */

void
ngx_egress_task_log_line(ngx_egress_task_t *task, ngx_str_t *text)
{
    u_char                      *p;
    ngx_str_t                    line;
    ngx_egress_task_log_conf_t  *conf;

    p = ngx_alloc(4 * text->len + NGX_LINEFEED_SIZE, task->log);
    if (p == NULL) {
        return;
    }

    conf = task->task_log->conf;

    line.data = p;
    line.len = ngx_egress_text_line(p, text) - p;

    if (conf->syslog) {
        ngx_egress_task_log_syslog(conf->syslog, task->log, p, line.len);

    } else if (conf->file) {
        p += line.len;
        ngx_linefeed(p);
        ngx_egress_task_log_file(conf->file, task->log, line.data,
                                 p - line.data);

    } else {
        ngx_log_error(NGX_LOG_INFO, task->log, 0, "egress task: %V", &line);
    }

    ngx_free(line.data);
}


static void
ngx_egress_task_log_file(ngx_open_file_t *file, ngx_log_t *log, u_char *p,
    size_t len)
{
    ssize_t        n;
    ngx_err_t      err;
    static time_t  complained;

    n = ngx_write_fd(file->fd, p, len);

    if (n == (ssize_t) len || ngx_time() - complained < 60) {
        return;
    }

    err = (n == -1) ? ngx_errno : 0;

    ngx_log_error(NGX_LOG_CRIT, log, err, ngx_write_fd_n " to \"%V\" failed",
                  &file->name);

    complained = ngx_time();
}


static void
ngx_egress_task_log_syslog(ngx_syslog_peer_t *peer, ngx_log_t *log, u_char *p,
    size_t len)
{
    u_char  *msg, *last;

    msg = ngx_alloc(sizeof("<255>Jan 01 00:00:00 ") - 1 + NGX_MAXHOSTNAMELEN
                    + 1 + peer->tag.len + sizeof(": ") - 1 + len, log);
    if (msg == NULL) {
        return;
    }

    last = ngx_syslog_add_header(peer, msg);
    last = ngx_cpymem(last, p, len);

    if (ngx_syslog_send(peer, msg, last - msg) < 0) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "send() to syslog failed");
    }

    ngx_free(msg);
}


char *
ngx_egress_task_log_set(ngx_conf_t *cf, ngx_egress_task_log_conf_t *conf)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_int_t    interval;
    ngx_uint_t   i;

    if (conf->events != NGX_CONF_UNSET_UINT) {
        return ngx_egress_is_duplicate;
    }

    conf->events = 0;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "created") == 0) {
            conf->events |= 1 << ngx_egress_task_log_created;
            continue;
        }

        if (ngx_strcmp(value[i].data, "connected") == 0) {
            conf->events |= 1 << ngx_egress_task_log_connected;
            continue;
        }

        interval = ngx_parse_time(&value[i], 0);

        if (interval > 0) {
            conf->events |= 1 << ngx_egress_task_log_periodic;
            conf->interval = interval;
            continue;
        }

        if (i > 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        rv = ngx_egress_task_log_to(cf, conf, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (conf->events == 0) {
        return "needs \"created\", \"connected\" or an interval";
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_task_log_to(ngx_conf_t *cf, ngx_egress_task_log_conf_t *conf,
    ngx_str_t *value)
{
    if (ngx_strncmp(value->data, "syslog:", 7) == 0) {

        conf->syslog = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
        if (conf->syslog == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_syslog_process_conf(cf, conf->syslog);
    }

    conf->file = ngx_conf_open_file(cf->cycle, value);

    return conf->file ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_egress_task_log_format(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char      *p;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    text->len = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        text->len += value[i].len;
    }

    p = ngx_pnalloc(cf->pool, text->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 1; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
    }

    return NGX_OK;
}


void
ngx_egress_task_log_conf_merge(ngx_egress_task_log_conf_t *conf,
    ngx_egress_task_log_conf_t *prev)
{
    if (conf->events == NGX_CONF_UNSET_UINT) {
        *conf = *prev;
    }

    if (conf->events == NGX_CONF_UNSET_UINT) {
        conf->events = 0;
    }
}
