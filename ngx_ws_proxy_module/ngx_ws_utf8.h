
/*
 * Copyright (C) ngx_egress authors
 *
 * UTF-8 check of a text that comes in pieces (RFC 3629: no surrogates, no
 * over-long forms, nothing above U+10FFFF).
 */


#ifndef _NGX_WS_UTF8_H_INCLUDED_
#define _NGX_WS_UTF8_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_uint_t              left;     /* continuation bytes still awaited */
    u_char                  low;      /* range of the next one */
    u_char                  high;
} ngx_ws_utf8_t;


#define ngx_ws_utf8_init(u)      (u)->left = 0

/* true if the text does not end inside of a character */
#define ngx_ws_utf8_complete(u)  ((u)->left == 0)

/* NGX_OK, or NGX_ERROR at the first byte that no valid text can have there */
ngx_int_t ngx_ws_utf8_check(ngx_ws_utf8_t *u, const u_char *p, size_t len);


#endif /* _NGX_WS_UTF8_H_INCLUDED_ */
