
/*
 * Copyright (C) ngx_egress authors
 *
 * Requests in absolute-form: has the task connect, then lets the core's
 * upstream speak HTTP on the open connection.
 */


#include "ngx_http_egress_forward.h"


ngx_int_t
ngx_http_egress_forward(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx)
{
    return ngx_http_egress_error(r, ctx, NGX_EGRESS_UNSUPPORTED);
}
