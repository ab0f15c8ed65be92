/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log: lines about sessions that have not ended yet.  Long
 * tunnels must be visible before the access log sees them.
 */

#ifndef _NGX_STREAM_EGRESS_LOG_H_INCLUDED_
#define _NGX_STREAM_EGRESS_LOG_H_INCLUDED_


#include "ngx_stream_egress.h"


typedef enum {
    ngx_stream_egress_log_created = 0,     /* the target is known */
    ngx_stream_egress_log_connected,
    ngx_stream_egress_log_periodic
} ngx_stream_egress_log_e;


/* Writes a line if the configuration asks for one of that event. */
void ngx_stream_egress_log(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_log_e event);

/* No line will follow; called at the end of the session, also twice. */
void ngx_stream_egress_log_stop(ngx_stream_egress_ctx_t *ctx);


#endif /* _NGX_STREAM_EGRESS_LOG_H_INCLUDED_ */
