/*
 * Copyright (C) ngx_egress authors
 *
 * What the fields of a head are to a proxy (RFC 9110, section 7.6), in
 * requests and responses alike.
 */

#ifndef _NGX_HTTP_EGRESS_HEADERS_H_INCLUDED_
#define _NGX_HTTP_EGRESS_HEADERS_H_INCLUDED_


#include "ngx_http_egress.h"


typedef enum {
    NGX_HTTP_EGRESS_END_TO_END = 0,       /* none of our business */

    NGX_HTTP_EGRESS_HOP_BY_HOP,           /* ends here; all of Proxy-*, too */
    NGX_HTTP_EGRESS_CONNECTION,           /* so do these, and we read them */
    NGX_HTTP_EGRESS_TRANSFER_ENCODING,
    NGX_HTTP_EGRESS_TE,
    NGX_HTTP_EGRESS_TRAILER,
    NGX_HTTP_EGRESS_UPGRADE,

    NGX_HTTP_EGRESS_PROXY_STATUS,
    NGX_HTTP_EGRESS_CONTENT_LENGTH,
    NGX_HTTP_EGRESS_EXPECT,
    NGX_HTTP_EGRESS_FORWARDED,
    NGX_HTTP_EGRESS_HOST,
    NGX_HTTP_EGRESS_MAX_FORWARDS,
    NGX_HTTP_EGRESS_VIA,
    NGX_HTTP_EGRESS_X_FORWARDED_FOR
} ngx_http_egress_header_e;


/* By a name in lower case. */
ngx_http_egress_header_e ngx_http_egress_header(u_char *name, size_t len);


/* Cuts blanks at both ends: the core's parser knows no tabs. */
void ngx_http_egress_trim(ngx_str_t *value);

/*
 * Members of a list "a, b;x=1, c": calls with *p at the beginning and moves
 * it on; blanks around a member are not part of it, empty members are left
 * out.  A comma always ends a member, also in quotes: what is looked for must
 * not be hidden by a quote that is never closed.  NGX_DONE: no more.
 */
ngx_int_t ngx_http_egress_list_next(u_char **p, u_char *last,
    ngx_str_t *member);

/* Is that token one of the members? */
ngx_uint_t ngx_http_egress_list_has(ngx_str_t *list, const char *token);


/* The names that Connection gives; an array of ngx_str_t, as written. */
typedef struct {
    ngx_array_t  names;
    unsigned     close:1;
    unsigned     keep_alive:1;
    unsigned     upgrade:1;
} ngx_http_egress_nominated_t;

/*
 * Reads all Connection fields of a list.  NGX_DECLINED: more names than any
 * honest peer sends; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_egress_nominate(ngx_pool_t *pool, ngx_list_t *headers,
    ngx_http_egress_nominated_t *nominated);

ngx_uint_t ngx_http_egress_is_nominated(
    ngx_http_egress_nominated_t *nominated, ngx_str_t *name);


/* Walks a list: "h" is each element, "i" and "part" are used up. */

#define ngx_http_egress_each_header(list, part, i, h)                         \
    for (part = &(list)->part; part; part = part->next)                       \
        for (i = 0, h = part->elts; i < part->nelts; i++, h++)


#endif /* _NGX_HTTP_EGRESS_HEADERS_H_INCLUDED_ */
