
/*
 * Copyright (C) ngx_egress authors
 *
 * Differences between versions of nginx, for this module: it can be built
 * without its neighbours, so it brings its own.  Decided by features of the
 * tree, see "config", not by version numbers.
 */


#ifndef _NGX_WS_CONF_H_INCLUDED_
#define _NGX_WS_CONF_H_INCLUDED_


/* 1.23.0: header fields are linked, and the end of a list must be marked */

#if (NGX_WS_LINKED_HEADERS)
#define ngx_ws_header_end(h)                (h)->next = NULL
#else
#define ngx_ws_header_end(h)
#endif


/* 1.29.8: ngx_http_parse_chunked() can leave trailers alone */

#if (NGX_WS_PARSE_CHUNKED_4)
#define ngx_ws_parse_chunked(r, b, ctx)     ngx_http_parse_chunked(r, b, ctx, 0)
#else
#define ngx_ws_parse_chunked(r, b, ctx)     ngx_http_parse_chunked(r, b, ctx)
#endif


#endif /* _NGX_WS_CONF_H_INCLUDED_ */
