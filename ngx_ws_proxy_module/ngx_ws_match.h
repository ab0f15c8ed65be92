
/*
 * Copyright (C) ngx_egress authors
 *
 * What responses to health checks must look like: ws_proxy_match.
 */


#ifndef _NGX_WS_MATCH_H_INCLUDED_
#define _NGX_WS_MATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_ws_response.h>


#define NGX_WS_MATCH_STATUS         0
#define NGX_WS_MATCH_HEADER         1
#define NGX_WS_MATCH_BODY           2


typedef enum {
    NGX_WS_MATCH_PRESENT = 0,       /* the header is there */
    NGX_WS_MATCH_EQUAL,
    NGX_WS_MATCH_REGEX,
    NGX_WS_MATCH_CONTAINS
} ngx_ws_match_op_e;


typedef struct {
    ngx_uint_t                  low;
    ngx_uint_t                  high;
    unsigned                    not:1;
} ngx_ws_match_range_t;


typedef struct {
    ngx_uint_t                  what;
    ngx_ws_match_op_e           op;
    unsigned                    not:1;
    ngx_str_t                   name;     /* of the header */
    ngx_str_t                   value;
#if (NGX_PCRE)
    ngx_regex_t                *regex;
#endif
} ngx_ws_match_rule_t;


typedef struct {
    ngx_str_t                   name;
    ngx_array_t                 statuses; /* ngx_ws_match_range_t */
    ngx_array_t                 rules;    /* ngx_ws_match_rule_t */
    unsigned                    body:1;   /* a rule needs the body */
} ngx_ws_match_t;


/* the ws_proxy_match block; conf is the array of ngx_ws_match_t pointers */
char *ngx_ws_match_block(ngx_conf_t *cf, ngx_array_t *matches);

/*
 * NULL: the response matches, else what does not.  Without a match it must
 * have one of the statuses from low to high.
 */
const char *ngx_ws_match(ngx_ws_match_t *match, ngx_ws_response_t *res,
    ngx_uint_t low, ngx_uint_t high);


#endif /* _NGX_WS_MATCH_H_INCLUDED_ */
