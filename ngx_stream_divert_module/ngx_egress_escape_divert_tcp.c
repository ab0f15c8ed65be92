
/*
 * Copyright (C) ngx_egress authors
 *
 * divert_tcp: hands every connection to a next proxy and says in a PROXY
 * header whose it is and where it is to go.  TLS to the target, where asked
 * for, is spoken through the next proxy; nothing is negotiated with it.
 */


#include "ngx_egress_divert.h"
#include "../ngx_egress_module/escape/ngx_egress_proxy_addr.h"


static ngx_int_t ngx_egress_divert_tcp_select(ngx_egress_task_t *task);

static char *ngx_egress_divert_tcp_create(ngx_conf_t *cf,
    ngx_egress_escaper_t *e);
static void *ngx_egress_divert_tcp_create_conf(ngx_cycle_t *cycle);


ngx_egress_escaper_type_t  ngx_egress_divert_tcp = {
    ngx_string("divert_tcp"),
    NGX_EGRESS_TAKES_CONNECT
    |NGX_EGRESS_TAKES_PROXY,               /* flags */
    0,                                     /* size of configuration */
    NULL,                                  /* directives */
    ngx_egress_divert_tcp_create,          /* create */
    NULL,                                  /* init */
    ngx_egress_divert_tcp_select,          /* select */
    NULL,                                  /* negotiate */
    NULL                                   /* failed */
};


/* its create_conf runs after that of ngx_egress_module: see config */

static ngx_core_module_t  ngx_egress_divert_tcp_module_ctx = {
    ngx_string("egress_divert_tcp"),
    ngx_egress_divert_tcp_create_conf,
    NULL
};


ngx_module_t  ngx_egress_divert_tcp_module = {
    NGX_MODULE_V1,
    &ngx_egress_divert_tcp_module_ctx,     /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_egress_divert_tcp_select(ngx_egress_task_t *task)
{
    ngx_int_t             rc;
    ngx_egress_divert_t   dv;

    if (ngx_egress_proxy_addr_select(task) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the header names one client and one target: nobody else may follow */

    task->hop->no_reuse = 1;

    ngx_memzero(&dv, sizeof(ngx_egress_divert_t));

    dv.target = &task->target;
    dv.user = task->user;
    dv.id = task->id;

    if (task->tls) {
        dv.tls_name = task->tls_name.len ? task->tls_name : task->target.host;
    }

    rc = ngx_egress_divert_header(task->pool, task->log, task->client, &dv,
                                  &task->hop->header);

    if (rc == NGX_DECLINED) {
        task->reason = NGX_EGRESS_UNSUPPORTED;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static char *
ngx_egress_divert_tcp_create(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    e->proxy->port = NGX_EGRESS_DIVERT_PORT;

    return NGX_CONF_OK;
}


static void *
ngx_egress_divert_tcp_create_conf(ngx_cycle_t *cycle)
{
    /* there is nothing to configure, but NULL would mean an error */

    return ngx_egress_escaper_register(cycle, &ngx_egress_divert_tcp) == NGX_OK
           ? &ngx_egress_divert_tcp : NULL;
}
