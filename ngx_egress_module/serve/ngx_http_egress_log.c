
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log and egress_task_log_format of the HTTP proxy: when a
 * request's target is known, when it is connected, and from then on in
 * intervals.  The end of a request is the access log's.
 */


#include "ngx_http_egress.h"


typedef struct {
    ngx_egress_task_log_conf_t   log;
    ngx_http_complex_value_t    *format;
} ngx_http_egress_log_conf_t;


static void ngx_http_egress_log_write(ngx_egress_task_t *task, void *data);
static void ngx_http_egress_log_evaluate(ngx_egress_task_t *task,
    ngx_http_request_t *r);

static void *ngx_http_egress_log_create_conf(ngx_conf_t *cf);
static char *ngx_http_egress_log_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_egress_log_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **format);
static char *ngx_http_egress_task_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_egress_task_log_format(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_str_t  ngx_http_egress_log_default =
    ngx_string(NGX_EGRESS_TASK_LOG_FORMAT "$request_time");


static ngx_command_t  ngx_http_egress_log_commands[] = {

    { ngx_string("egress_task_log"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_egress_task_log,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_task_log_format"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_egress_task_log_format,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_egress_log_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_egress_log_create_conf,       /* create server configuration */
    ngx_http_egress_log_merge_conf,        /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_egress_log_module = {
    NGX_MODULE_V1,
    &ngx_http_egress_log_module_ctx,       /* module context */
    ngx_http_egress_log_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
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
ngx_http_egress_log(ngx_http_egress_ctx_t *ctx, ngx_egress_task_log_e event)
{
    ngx_http_egress_log_conf_t  *lscf;

    lscf = ngx_http_get_module_srv_conf(ctx->request,
                                        ngx_http_egress_log_module);

    if (lscf->log.events) {

        /* $remote_user is kept in the request: not in the pool of a line */

        (void) ngx_http_auth_basic_user(ctx->request);
    }

    ngx_egress_task_log(ctx->task, &lscf->log, event,
                        ngx_http_egress_log_write, ctx);
}


/*
 * A tunnel may live for days and be logged every minute: what its variables
 * allocate goes with the line, and so do the values, the contexts of modules
 * and the captures of regular expressions that point to it.
 */

static void
ngx_http_egress_log_write(ngx_egress_task_t *task, void *data)
{
    ngx_http_egress_ctx_t *ctx = data;

    void                       **contexts;
    size_t                       size, nctx;
    ngx_pool_t                  *pool, *saved;
    ngx_http_request_t          *r;
    ngx_http_variable_value_t   *values;
    ngx_http_core_main_conf_t   *cmcf;

    r = ctx->request;

    ngx_http_egress_forward_count(ctx);

    pool = ngx_create_pool(1024, task->log);
    if (pool == NULL) {
        return;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

    nctx = ngx_http_max_module * sizeof(void *);

    values = ngx_palloc(pool, size);
    contexts = ngx_palloc(pool, nctx);

    if (values != NULL && contexts != NULL) {
        ngx_memcpy(values, r->variables, size);
        ngx_memcpy(contexts, r->ctx, nctx);

        saved = r->pool;
        r->pool = pool;

        ngx_http_egress_log_evaluate(task, r);

        r->pool = saved;

        ngx_memcpy(r->variables, values, size);
        ngx_memcpy(r->ctx, contexts, nctx);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_http_egress_log_evaluate(ngx_egress_task_t *task, ngx_http_request_t *r)
{
    ngx_str_t                    line;
#if (NGX_PCRE)
    int                         *captures;
    u_char                      *data;
    ngx_uint_t                   ncaptures, again;
#endif
    ngx_http_egress_log_conf_t  *lscf;

#if (NGX_PCRE)

    captures = r->captures;
    data = r->captures_data;
    ncaptures = r->ncaptures;
    again = r->realloc_captures;

    r->captures = NULL;
    r->ncaptures = 0;

#endif

    lscf = ngx_http_get_module_srv_conf(r, ngx_http_egress_log_module);

    if (ngx_http_complex_value(r, lscf->format, &line) == NGX_OK) {
        ngx_egress_task_log_line(task, &line);
    }

#if (NGX_PCRE)

    r->captures = captures;
    r->captures_data = data;
    r->ncaptures = ncaptures;
    r->realloc_captures = again;

#endif
}


static void *
ngx_http_egress_log_create_conf(ngx_conf_t *cf)
{
    ngx_http_egress_log_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_egress_log_conf_t));
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
ngx_http_egress_log_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_egress_log_conf_t *prev = parent;
    ngx_http_egress_log_conf_t *conf = child;

    ngx_egress_task_log_conf_merge(&conf->log, &prev->log);

    if (conf->format == NULL) {
        conf->format = prev->format;
    }

    if (conf->log.events == 0 || conf->format) {
        return NGX_CONF_OK;
    }

    return ngx_http_egress_log_compile(cf, &ngx_http_egress_log_default,
                                         &conf->format);
}


static char *
ngx_http_egress_log_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **format)
{
    ngx_http_compile_complex_value_t  ccv;

    *format = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*format == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *format;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static char *
ngx_http_egress_task_log(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_egress_log_conf_t *lscf = conf;

    return ngx_egress_task_log_set(cf, &lscf->log);
}


static char *
ngx_http_egress_task_log_format(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_egress_log_conf_t *lscf = conf;

    ngx_str_t  text;

    if (lscf->format) {
        return ngx_egress_is_duplicate;
    }

    if (ngx_egress_task_log_format(cf, &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_egress_log_compile(cf, &text, &lscf->format);
}
