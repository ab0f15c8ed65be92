
/*
 * Copyright (C) ngx_egress authors
 *
 * dummy_deny: the end of the road.  The type to start from when writing a new
 * one.
 */


#include "../ngx_egress.h"


static ngx_int_t ngx_egress_dummy_deny_select(ngx_egress_task_t *task);


ngx_egress_escaper_type_t  ngx_egress_dummy_deny = {
    ngx_string("dummy_deny"),
    0,                                     /* flags */
    0,                                     /* size of configuration */
    NULL,                                  /* directives */
    NULL,                                  /* create */
    NULL,                                  /* init */
    ngx_egress_dummy_deny_select,          /* select */
    NULL,                                  /* negotiate */
    NULL                                   /* failed */
};


static ngx_int_t
ngx_egress_dummy_deny_select(ngx_egress_task_t *task)
{
    task->reason = NGX_EGRESS_ESCAPER_DENIED;

    return NGX_ERROR;
}
