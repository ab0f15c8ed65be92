/*
 * Copyright (C) ngx_egress authors
 *
 * The speed limit of one direction of bytes, for whoever reads or writes
 * them.
 */

#ifndef _NGX_EGRESS_LIMIT_H_INCLUDED_
#define _NGX_EGRESS_LIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* Zeroed, but for what is "in"; the owner deletes the timer at the end. */

typedef struct {
    size_t         rate;              /* in: bytes/s; 0: any */
    ngx_event_t    delay;             /* in: handler, data and log */
    int64_t        credit;            /* bytes * 1000 */
    ngx_msec_t     credit_at;
} ngx_egress_limit_t;


/*
 * How much of "size" may be moved now; 0: delay.handler will be called.  What
 * was moved is then reported.
 */
size_t ngx_egress_limit(ngx_egress_limit_t *limit, size_t size);
void ngx_egress_limit_used(ngx_egress_limit_t *limit, size_t n);


#endif /* _NGX_EGRESS_LIMIT_H_INCLUDED_ */
