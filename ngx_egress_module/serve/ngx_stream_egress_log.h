/*
 * Copyright (C) ngx_egress authors
 *
 * egress_task_log in stream, see task/ngx_egress_task_log.h.
 */

#ifndef _NGX_STREAM_EGRESS_LOG_H_INCLUDED_
#define _NGX_STREAM_EGRESS_LOG_H_INCLUDED_


#include "ngx_stream_egress.h"
#include "../task/ngx_egress_task_log.h"


/* A line if the configuration asks for one of that event. */
void ngx_stream_egress_log(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_task_log_e event);


#endif /* _NGX_STREAM_EGRESS_LOG_H_INCLUDED_ */
