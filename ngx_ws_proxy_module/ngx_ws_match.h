
/*
 * Copyright (C) ngx_egress authors
 *
 * Responses of health checks and what they must look like: ws_proxy_match.
 * A response is parsed in place, in one buffer that holds all of it.
 */


#ifndef _NGX_WS_MATCH_H_INCLUDED_
#define _NGX_WS_MATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


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


typedef struct {
    ngx_uint_t                  status;   /* 0: not parsed yet */
    ngx_str_t                   headers;  /* lines, without the status line */
    off_t                       length;   /* Content-Length or -1 */
    unsigned                    chunked:1;
    ngx_str_t                   body;     /* as far as it is there */
    u_char                     *end;      /* behind the header */
} ngx_ws_response_t;


/* the ws_proxy_match block; conf is the array of ngx_ws_match_t pointers */
char *ngx_ws_match_block(ngx_conf_t *cf, ngx_array_t *matches);

/*
 * Parses the header of a response in [pos, last).  NGX_AGAIN: it is not
 * complete; NGX_ERROR: it is no HTTP/1.x response.
 */
ngx_int_t ngx_ws_response_parse(ngx_ws_response_t *res, u_char *pos,
    u_char *last);

/*
 * Takes the body out of [res->end, last), chunks are joined in place; to be
 * called once, with all there is.  NGX_AGAIN: it is not complete.  That of a
 * probe is only looked for, with res->chunked it may still be called later.
 */
ngx_int_t ngx_ws_response_body(ngx_ws_response_t *res, u_char *last,
    ngx_uint_t join);

/* the value of a header, data NULL if there is none */
ngx_str_t ngx_ws_response_header(ngx_ws_response_t *res, const char *name,
    size_t len);

/*
 * NULL: the response matches, else what does not.  Without a match it must
 * have one of the statuses from low to high.
 */
const char *ngx_ws_match(ngx_ws_match_t *match, ngx_ws_response_t *res,
    ngx_uint_t low, ngx_uint_t high);


#endif /* _NGX_WS_MATCH_H_INCLUDED_ */
