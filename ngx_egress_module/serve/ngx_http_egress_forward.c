
/*
 * Copyright (C) ngx_egress authors
 *
 * Absolute-form requests.
 */


#include "ngx_http_egress.h"


ngx_int_t
ngx_http_egress_forward(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx)
{
    return ngx_http_egress_error(r, ctx, NGX_EGRESS_UNSUPPORTED);
}
