
/*
 * Copyright (C) ngx_egress authors
 *
 * HTTP/1.x responses to health checks as a pure codec.  A response is parsed
 * in place, in one buffer that holds all of it so far; each call begins anew.
 */


#ifndef _NGX_WS_RESPONSE_H_INCLUDED_
#define _NGX_WS_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_uint_t                  status;   /* 0: not parsed yet */
    ngx_str_t                   headers;  /* lines, without the status line */
    off_t                       length;   /* Content-Length or -1 */
    unsigned                    chunked:1;
    ngx_str_t                   body;     /* as far as it is there */
    u_char                     *end;      /* behind the header */
} ngx_ws_response_t;


/*
 * Parses the header of a response in [pos, last).  NGX_AGAIN: it is not
 * complete; NGX_ERROR: it is no HTTP/1.x response.
 */
ngx_int_t ngx_ws_response_parse(ngx_ws_response_t *res, u_char *pos,
    u_char *last);

/*
 * Finds the body in [res->end, last).  NGX_AGAIN: it is not complete, which
 * without a length it never is; NGX_ERROR: a malformed chunk.  With join the
 * chunks are put together in place, so that is the last call.
 */
ngx_int_t ngx_ws_response_body(ngx_ws_response_t *res, u_char *last,
    ngx_uint_t join);

/* the value of the first header of that name, data NULL if there is none */
ngx_str_t ngx_ws_response_header(ngx_ws_response_t *res, const char *name,
    size_t len);


#endif /* _NGX_WS_RESPONSE_H_INCLUDED_ */
