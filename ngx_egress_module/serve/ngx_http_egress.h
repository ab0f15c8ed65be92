/*
 * Copyright (C) ngx_egress authors
 *
 * What the files of the HTTP proxy share.
 *
 *     ngx_http_egress_parse.c     request line and POST_READ: CONNECT on cores
 *                                 that do not know it
 *     ngx_http_egress_phase.c     SERVER_REWRITE: proxied requests leave the
 *                                 way of locations, then the content handler
 *     ngx_http_egress_target.c    request and configuration become a task
 *     ngx_http_egress_user.c      who the client is: 407
 *     ngx_http_egress_connect.c   CONNECT: 200, relay
 *     ngx_http_egress_forward*.c  absolute-form: task, ngx_http_upstream
 *     ngx_http_egress_error.c     a reason becomes an answer
 *     ngx_http_egress_path.c      the egress path selection header
 *     ngx_http_egress_headers.c   names and lists of header fields
 *     ngx_http_egress_log.c       egress_task_log
 *     ngx_http_egress_status.c    egress_status
 *     ngx_http_egress_variable.c  $egress_*
 *     ngx_http_egress_open.c      the check against open proxies
 *     ngx_http_egress_module.c    directives
 */

#ifndef _NGX_HTTP_EGRESS_H_INCLUDED_
#define _NGX_HTTP_EGRESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../ngx_egress.h"
#include "../task/ngx_egress_task_log.h"
#include "../user/ngx_egress_user_group.h"


/* An escaper by name, or by variables that give a name. */
typedef struct {
    ngx_egress_escaper_t      *escaper;     /* NULL: look at value */
    ngx_http_complex_value_t  *value;       /* NULL, too: not set */
} ngx_http_egress_escaper_t;


typedef struct {
    ngx_http_egress_escaper_t  proxy;       /* egress_http_proxy */
    ngx_egress_object_t        where;       /* of that directive, or, as long
                                               as there is none, of the group */
    ngx_flag_t                 open_proxy;
    ngx_egress_user_group_t   *group;       /* NULL: no users, no questions */
} ngx_http_egress_srv_conf_t;


/*
 * Of the server for proxied requests: locations are not matched for them.
 * The settings of absolute-form requests alone are in a module of their own,
 * ngx_http_egress_forward_module.
 */

typedef struct {
    ngx_uint_t                 extended;    /* egress_error_codes */
    ngx_str_t                  server_id;   /* in Proxy-Status, Via */
    ngx_str_t                  path_header; /* as written; len 0: none */
    ngx_str_t                  path_lowcase;
    ngx_uint_t                 path_dictionary;
    ngx_msec_t                 idle_timeout;
    size_t                     upload_rate;
    size_t                     download_rate;
} ngx_http_egress_loc_conf_t;


/* One proxied request; in the pool of the request. */
typedef struct {
    ngx_http_request_t        *request;
    ngx_egress_task_t         *task;        /* never NULL */
    void                      *forward;     /* of ngx_http_egress_forward*.c */
    size_t                     sent;        /* of the answer to CONNECT */
    unsigned                   connect:1;
    unsigned                   tunnel:1;    /* the answer is 200 */
    unsigned                   async:1;     /* the content handler is left */
} ngx_http_egress_ctx_t;


#define ngx_http_egress_is_proxy(escf)                                        \
    ((escf)->proxy.escaper != NULL || (escf)->proxy.value != NULL)

/* CONNECT, or absolute-form over HTTP/1.x; not what error_page made of it */
#define ngx_http_egress_proxied(r)                                            \
    ((r)->http_version < NGX_HTTP_VERSION_20                                  \
     && ((r)->method == NGX_HTTP_CONNECT || (r)->schema_start != NULL))


/*
 * The context of the request r belongs to, also after error_page has made an
 * internal redirect of it, also from subrequests; NULL: not proxied, or not
 * that far yet.
 */
ngx_http_egress_ctx_t *ngx_http_egress_get_ctx(ngx_http_request_t *r);

/* The context with an empty task, closed when the request is freed. */
ngx_http_egress_ctx_t *ngx_http_egress_create_ctx(ngx_http_request_t *r);

/*
 * Fills ctx->task from the request and the configuration: target (of the
 * request line; flags are those of ngx_egress_addr_parse()), escaper, path,
 * limits.  connected, finish, data, tls are the caller's.  Returns 0, or the
 * reason why the request must be refused.
 */
ngx_uint_t ngx_http_egress_prepare(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx, ngx_uint_t flags);

/* The escaper of that setting; NULL: logged, or not set. */
ngx_egress_escaper_t *ngx_http_egress_find_escaper(ngx_http_request_t *r,
    ngx_http_egress_escaper_t *e);

/*
 * egress_path_selection_header: adds to task->path what it says for
 * task->escaper.  Returns 0 or a reason.
 */
ngx_uint_t ngx_http_egress_path(ngx_http_request_t *r,
    ngx_egress_task_t *task);

/* Is it that header, which nobody behind us is to see? */
ngx_uint_t ngx_http_egress_is_path_header(ngx_http_request_t *r,
    ngx_table_elt_t *h);

/*
 * Answers with the reason: closes the task with it, adds Proxy-Status, and
 * sends a short page or leaves the page to error_page.  Nothing of the
 * response may have been sent yet.  A CONNECT is always followed by a close.
 * Returns a code that a content handler returns, or that the caller gives to
 * ngx_http_finalize_request() when it was called from an event.
 */
ngx_int_t ngx_http_egress_error(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx, ngx_uint_t reason);

/*
 * The header above alone, for an answer that is not ours to write; replaces
 * one that was set before.
 */
ngx_int_t ngx_http_egress_proxy_status(ngx_http_request_t *r,
    ngx_uint_t reason);

/* egress_task_log: a line if the configuration asks for one of that event. */
void ngx_http_egress_log(ngx_http_egress_ctx_t *ctx,
    ngx_egress_task_log_e event);

/* Brings the bytes of a forwarded request up to date; nothing for a tunnel. */
void ngx_http_egress_forward_count(ngx_http_egress_ctx_t *ctx);

/*
 * egress_user_group: who sent this request?  1: task->user is set, or there
 * are no users; 0: the request was or will be refused, *rc is for the content
 * handler to return.  Looks at nothing but the request itself.
 */
ngx_uint_t ngx_http_egress_authenticate(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx, ngx_int_t *rc);

/* Content handlers, of the phases and for each other. */
ngx_int_t ngx_http_egress_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_egress_connect(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx);
ngx_int_t ngx_http_egress_forward(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx);

/* Configuration time. */
char *ngx_http_egress_user_group(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_egress_user_group_merge(ngx_conf_t *cf,
    ngx_http_egress_srv_conf_t *prev, ngx_http_egress_srv_conf_t *conf);
void ngx_http_egress_allow_connect(ngx_conf_t *cf);
ngx_int_t ngx_http_egress_parse_init(ngx_conf_t *cf);
ngx_int_t ngx_http_egress_phase_init(ngx_conf_t *cf);
ngx_int_t ngx_http_egress_open_check(ngx_conf_t *cf);
ngx_int_t ngx_http_egress_add_variables(ngx_conf_t *cf);


extern ngx_module_t  ngx_http_egress_module;


#endif /* _NGX_HTTP_EGRESS_H_INCLUDED_ */
