
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log and egress_task_log_format: when a session's target is
 * known, when it is connected, and from then on in intervals.  The end of a
 * session is the access log's.
 */


#include "ngx_stream_egress_log.h"
#include "../proto/ngx_egress_text.h"


typedef struct {
    ngx_open_file_t             *file;       /* NULL, and no syslog: to the */
    ngx_syslog_peer_t           *syslog;     /* error log, at level info */
    ngx_msec_t                   interval;   /* 0: no lines in intervals */
    ngx_uint_t                   events;     /* bits of ..._log_e */
    ngx_stream_complex_value_t  *format;
} ngx_stream_egress_log_conf_t;


typedef struct {
    ngx_event_t                  timer;
    ngx_stream_egress_log_e      event;      /* of the line being written */
} ngx_stream_egress_log_ctx_t;


static void ngx_stream_egress_log_write(ngx_stream_session_t *s,
    ngx_stream_egress_log_conf_t *lscf);
static ngx_stream_egress_log_ctx_t *ngx_stream_egress_log_ctx(
    ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_log_handler(ngx_event_t *ev);
static void ngx_stream_egress_log_text(ngx_stream_egress_log_conf_t *lscf,
    ngx_connection_t *c, ngx_str_t *text);
static void ngx_stream_egress_log_line(ngx_stream_egress_log_conf_t *lscf,
    ngx_log_t *log, ngx_str_t *line);
static void ngx_stream_egress_log_file(ngx_open_file_t *file, ngx_log_t *log,
    u_char *p, size_t len);
static void ngx_stream_egress_log_syslog(ngx_syslog_peer_t *peer,
    ngx_log_t *log, ngx_str_t *line);

static ngx_int_t ngx_stream_egress_log_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_egress_log_add_variables(ngx_conf_t *cf);
static void *ngx_stream_egress_log_create_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_log_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_egress_log_default_format(ngx_conf_t *cf,
    ngx_stream_complex_value_t **format);
static char *ngx_stream_egress_log_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_stream_complex_value_t **format);
static char *ngx_stream_egress_task_log_format(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_egress_task_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_egress_task_log_to(ngx_conf_t *cf,
    ngx_stream_egress_log_conf_t *lscf, ngx_str_t *value);


static ngx_str_t  ngx_stream_egress_log_events[] = {
    ngx_string("created"),
    ngx_string("connected"),
    ngx_string("periodic")
};


static ngx_command_t  ngx_stream_egress_log_commands[] = {

    { ngx_string("egress_task_log"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_task_log,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_task_log_format"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_egress_task_log_format,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_egress_log_module_ctx = {
    ngx_stream_egress_log_add_variables,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_egress_log_create_conf,     /* create server configuration */
    ngx_stream_egress_log_merge_conf       /* merge server configuration */
};


ngx_module_t  ngx_stream_egress_log_module = {
    NGX_MODULE_V1,
    &ngx_stream_egress_log_module_ctx,     /* module context */
    ngx_stream_egress_log_commands,        /* module directives */
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


void
ngx_stream_egress_log(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_log_e event)
{
    ngx_stream_session_t          *s;
    ngx_stream_egress_log_ctx_t   *lctx;
    ngx_stream_egress_log_conf_t  *lscf;

    s = ctx->session;
    lscf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_log_module);

    if (lscf->events == 0) {
        return;
    }

    lctx = ngx_stream_egress_log_ctx(ctx);
    if (lctx == NULL) {
        return;
    }

    if (event != ngx_stream_egress_log_created && lscf->interval) {
        ngx_add_timer(&lctx->timer, lscf->interval);
    }

    if (!(lscf->events & (1 << event))) {
        return;
    }

    lctx->event = event;

    ngx_stream_egress_log_write(s, lscf);
}


/*
 * A session may live for days and be logged every minute: what its variables
 * allocate goes with the line, and so do the values, and the captures of
 * regular expressions, that point to it.
 */

static void
ngx_stream_egress_log_write(ngx_stream_session_t *s,
    ngx_stream_egress_log_conf_t *lscf)
{
    size_t                        size;
    ngx_str_t                     line;
    ngx_pool_t                   *pool, *saved;
    ngx_connection_t             *c;
#if (NGX_PCRE)
    int                          *captures;
    u_char                       *data;
    ngx_uint_t                    ncaptures;
#endif
    ngx_stream_variable_value_t  *values;
    ngx_stream_core_main_conf_t  *cmcf;

    c = s->connection;

    pool = ngx_create_pool(1024, c->log);
    if (pool == NULL) {
        return;
    }

    cmcf = ngx_stream_get_module_main_conf(s, ngx_stream_core_module);
    size = cmcf->variables.nelts * sizeof(ngx_stream_variable_value_t);

    values = ngx_palloc(pool, size);

    if (values) {
        ngx_memcpy(values, s->variables, size);

        saved = c->pool;
        c->pool = pool;

#if (NGX_PCRE)
        captures = s->captures;
        data = s->captures_data;
        ncaptures = s->ncaptures;

        s->captures = NULL;
        s->ncaptures = 0;
#endif

        if (ngx_stream_complex_value(s, lscf->format, &line) == NGX_OK) {
            ngx_stream_egress_log_text(lscf, c, &line);
        }

        c->pool = saved;

#if (NGX_PCRE)
        s->captures = captures;
        s->captures_data = data;
        s->ncaptures = ncaptures;
#endif

        ngx_memcpy(s->variables, values, size);
    }

    ngx_destroy_pool(pool);
}


/* A name that a client has sent may hold anything, a line feed too. */

static void
ngx_stream_egress_log_text(ngx_stream_egress_log_conf_t *lscf,
    ngx_connection_t *c, ngx_str_t *text)
{
    ngx_str_t  line;

    line.data = ngx_pnalloc(c->pool, 4 * text->len);
    if (line.data == NULL) {
        return;
    }

    line.len = ngx_egress_text_line(line.data, text) - line.data;

    ngx_stream_egress_log_line(lscf, c->log, &line);
}


static ngx_stream_egress_log_ctx_t *
ngx_stream_egress_log_ctx(ngx_stream_egress_ctx_t *ctx)
{
    ngx_connection_t             *c;
    ngx_stream_session_t         *s;
    ngx_stream_egress_log_ctx_t  *lctx;

    s = ctx->session;
    c = s->connection;

    lctx = ngx_stream_get_module_ctx(s, ngx_stream_egress_log_module);

    if (lctx == NULL) {
        lctx = ngx_pcalloc(c->pool, sizeof(ngx_stream_egress_log_ctx_t));
        if (lctx == NULL) {
            return NULL;
        }

        lctx->timer.handler = ngx_stream_egress_log_handler;
        lctx->timer.data = c;
        lctx->timer.log = c->log;
        lctx->timer.cancelable = 1;

        ngx_stream_set_ctx(s, lctx, ngx_stream_egress_log_module);
    }

    return lctx;
}


static void
ngx_stream_egress_log_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_stream_egress_log(ngx_stream_egress_get_ctx(c->data),
                          ngx_stream_egress_log_periodic);
}


void
ngx_stream_egress_log_stop(ngx_stream_egress_ctx_t *ctx)
{
    ngx_stream_egress_log_ctx_t  *lctx;

    lctx = ngx_stream_get_module_ctx(ctx->session,
                                     ngx_stream_egress_log_module);

    if (lctx && lctx->timer.timer_set) {
        ngx_del_timer(&lctx->timer);
    }
}


static void
ngx_stream_egress_log_line(ngx_stream_egress_log_conf_t *lscf, ngx_log_t *log,
    ngx_str_t *line)
{
    u_char  *p, *last;

    if (lscf->syslog) {
        ngx_stream_egress_log_syslog(lscf->syslog, log, line);
        return;
    }

    if (lscf->file == NULL) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "egress task: %V", line);
        return;
    }

    p = ngx_alloc(line->len + NGX_LINEFEED_SIZE, log);
    if (p == NULL) {
        return;
    }

    last = ngx_cpymem(p, line->data, line->len);
    ngx_linefeed(last);

    ngx_stream_egress_log_file(lscf->file, log, p, last - p);
    ngx_free(p);
}


static void
ngx_stream_egress_log_file(ngx_open_file_t *file, ngx_log_t *log, u_char *p,
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
ngx_stream_egress_log_syslog(ngx_syslog_peer_t *peer, ngx_log_t *log,
    ngx_str_t *line)
{
    u_char  *p, *last;
    size_t   len;

    len = sizeof("<255>Jan 01 00:00:00 ") - 1 + NGX_MAXHOSTNAMELEN + 1
          + peer->tag.len + sizeof(": ") - 1 + line->len;

    p = ngx_alloc(len, log);
    if (p == NULL) {
        return;
    }

    last = ngx_syslog_add_header(peer, p);
    last = ngx_cpymem(last, line->data, line->len);

    if (ngx_syslog_send(peer, p, last - p) < 0) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "send() to syslog failed");
    }

    ngx_free(p);
}


static ngx_int_t
ngx_stream_egress_log_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    *event;
    ngx_stream_egress_log_ctx_t  *lctx;

    lctx = ngx_stream_get_module_ctx(s, ngx_stream_egress_log_module);

    if (lctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    event = &ngx_stream_egress_log_events[lctx->event];

    v->len = event->len;
    v->data = event->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_egress_log_add_variables(ngx_conf_t *cf)
{
    ngx_str_t               name = ngx_string("egress_task_event");
    ngx_stream_variable_t  *var;

    var = ngx_stream_add_variable(cf, &name, NGX_STREAM_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_stream_egress_log_variable;

    return NGX_OK;
}


static void *
ngx_stream_egress_log_create_conf(ngx_conf_t *cf)
{
    ngx_stream_egress_log_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_log_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->file = NULL;
     *     conf->syslog = NULL;
     *     conf->interval = 0;
     *     conf->format = NULL;
     */

    conf->events = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_stream_egress_log_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_log_conf_t *prev = parent;
    ngx_stream_egress_log_conf_t *conf = child;

    if (conf->format == NULL) {
        conf->format = prev->format;
    }

    if (conf->events == NGX_CONF_UNSET_UINT) {
        conf->file = prev->file;
        conf->syslog = prev->syslog;
        conf->interval = prev->interval;
    }

    ngx_conf_merge_uint_value(conf->events, prev->events, 0);

    if (conf->events == 0 || conf->format) {
        return NGX_CONF_OK;
    }

    return ngx_stream_egress_log_default_format(cf, &conf->format);
}


static char *
ngx_stream_egress_log_default_format(ngx_conf_t *cf,
    ngx_stream_complex_value_t **format)
{
    static ngx_str_t  text = ngx_string(
        "$time_iso8601 $egress_task_event $egress_task_id $remote_addr "
        "$egress_user $egress_escaper $egress_host:$egress_port $egress_addr "
        "sent=$egress_bytes_sent received=$egress_bytes_received "
        "$session_time");

    return ngx_stream_egress_log_compile(cf, &text, format);
}


static char *
ngx_stream_egress_log_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_stream_complex_value_t **format)
{
    ngx_stream_compile_complex_value_t  ccv;

    *format = ngx_palloc(cf->pool, sizeof(ngx_stream_complex_value_t));
    if (*format == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *format;

    return ngx_stream_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* several arguments are one text, as in log_format */

static char *
ngx_stream_egress_task_log_format(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_egress_log_conf_t *lscf = conf;

    u_char      *p;
    ngx_str_t   *value, text;
    ngx_uint_t   i;

    if (lscf->format) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;
    text.len = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        text.len += value[i].len;
    }

    p = ngx_pnalloc(cf->pool, text.len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    text.data = p;

    for (i = 1; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
    }

    return ngx_stream_egress_log_compile(cf, &text, &lscf->format);
}


static char *
ngx_stream_egress_task_log(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_log_conf_t *lscf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_int_t    interval;
    ngx_uint_t   i;

    if (lscf->events != NGX_CONF_UNSET_UINT) {
        return ngx_egress_is_duplicate;
    }

    lscf->events = 0;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "created") == 0) {
            lscf->events |= 1 << ngx_stream_egress_log_created;
            continue;
        }

        if (ngx_strcmp(value[i].data, "connected") == 0) {
            lscf->events |= 1 << ngx_stream_egress_log_connected;
            continue;
        }

        interval = ngx_parse_time(&value[i], 0);

        if (interval > 0) {
            lscf->events |= 1 << ngx_stream_egress_log_periodic;
            lscf->interval = interval;
            continue;
        }

        if (i > 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        rv = ngx_stream_egress_task_log_to(cf, lscf, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (lscf->events == 0) {
        return "needs \"created\", \"connected\" or an interval";
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_task_log_to(ngx_conf_t *cf,
    ngx_stream_egress_log_conf_t *lscf, ngx_str_t *value)
{
    if (ngx_strncmp(value->data, "syslog:", 7) == 0) {

        lscf->syslog = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
        if (lscf->syslog == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_syslog_process_conf(cf, lscf->syslog);
    }

    lscf->file = ngx_conf_open_file(cf->cycle, value);

    return lscf->file ? NGX_CONF_OK : NGX_CONF_ERROR;
}
