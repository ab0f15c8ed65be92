
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log and egress_task_log_format: when a session's target is
 * known, when it is connected, and from then on in intervals.  The end of a
 * session is the access log's.
 */


#include "ngx_stream_egress_log.h"


typedef struct {
    ngx_egress_task_log_conf_t   log;
    ngx_stream_complex_value_t  *format;
} ngx_stream_egress_log_conf_t;


static void ngx_stream_egress_log_write(ngx_egress_task_t *task, void *data);

static void *ngx_stream_egress_log_create_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_log_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_egress_log_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_stream_complex_value_t **format);
static char *ngx_stream_egress_task_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_egress_task_log_format(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_str_t  ngx_stream_egress_log_default =
    ngx_string(NGX_EGRESS_TASK_LOG_FORMAT "$session_time");


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
    NULL,                                  /* preconfiguration */
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
    ngx_egress_task_log_e event)
{
    ngx_stream_egress_log_conf_t  *lscf;

    lscf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_log_module);

    ngx_egress_task_log(ctx->task, &lscf->log, event,
                        ngx_stream_egress_log_write, ctx->session);
}


/*
 * A session may live for days and be logged every minute: what its variables
 * allocate goes with the line, and so do the values, and the captures of
 * regular expressions, that point to it.
 */

static void
ngx_stream_egress_log_write(ngx_egress_task_t *task, void *data)
{
    ngx_stream_session_t *s = data;

    size_t                         size;
    ngx_str_t                      line;
    ngx_pool_t                    *pool, *saved;
    ngx_connection_t              *c;
#if (NGX_PCRE)
    int                           *captures;
    u_char                        *captured;
    ngx_uint_t                     ncaptures;
#endif
    ngx_stream_variable_value_t   *values;
    ngx_stream_core_main_conf_t   *cmcf;
    ngx_stream_egress_log_conf_t  *lscf;

    c = s->connection;
    lscf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_log_module);

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
        captured = s->captures_data;
        ncaptures = s->ncaptures;

        s->captures = NULL;
        s->ncaptures = 0;
#endif

        if (ngx_stream_complex_value(s, lscf->format, &line) == NGX_OK) {
            ngx_egress_task_log_line(task, &line);
        }

        c->pool = saved;

#if (NGX_PCRE)
        s->captures = captures;
        s->captures_data = captured;
        s->ncaptures = ncaptures;
#endif

        ngx_memcpy(s->variables, values, size);
    }

    ngx_destroy_pool(pool);
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
     *     conf->log = { 0 };
     *     conf->format = NULL;
     */

    ngx_egress_task_log_conf_init(&conf->log);

    return conf;
}


static char *
ngx_stream_egress_log_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_log_conf_t *prev = parent;
    ngx_stream_egress_log_conf_t *conf = child;

    ngx_egress_task_log_conf_merge(&conf->log, &prev->log);

    if (conf->format == NULL) {
        conf->format = prev->format;
    }

    if (conf->log.events == 0 || conf->format) {
        return NGX_CONF_OK;
    }

    return ngx_stream_egress_log_compile(cf, &ngx_stream_egress_log_default,
                                         &conf->format);
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


static char *
ngx_stream_egress_task_log(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_log_conf_t *lscf = conf;

    return ngx_egress_task_log_set(cf, &lscf->log);
}


static char *
ngx_stream_egress_task_log_format(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_egress_log_conf_t *lscf = conf;

    ngx_str_t  text;

    if (lscf->format) {
        return ngx_egress_is_duplicate;
    }

    if (ngx_egress_task_log_format(cf, &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_stream_egress_log_compile(cf, &text, &lscf->format);
}
