/*
 * Copyright (C) ngx_egress authors
 *
 * Requests in absolute-form, as the files that forward them see it.
 *
 *     ngx_http_egress_forward.c            flow: task, upstream, end
 *     ngx_http_egress_forward_module.c     directives
 *     ngx_http_egress_forward_peer.c       hands the connection of the task
 *                                          to the core and takes it back
 *     ngx_http_egress_forward_request.c    head of the request
 *     ngx_http_egress_forward_upload.c     body of the request
 *     ngx_http_egress_forward_response.c   head of the response, 1xx
 *     ngx_http_egress_forward_fields.c     fields of the response
 *     ngx_http_egress_forward_body.c       body of the response, trailers
 *     ngx_http_egress_forward_limit.c      speed limits
 *
 * The task connects first.  Its connection is then given to the core's
 * ngx_http_upstream, which moves bytes and keeps time; what it sends and how
 * it understands the answer is told here.
 */

#ifndef _NGX_HTTP_EGRESS_FORWARD_H_INCLUDED_
#define _NGX_HTTP_EGRESS_FORWARD_H_INCLUDED_


#include "ngx_http_egress.h"
#include "ngx_http_egress_headers.h"
#include "../connect/ngx_egress_tls.h"
#include "../proto/ngx_egress_chunked.h"
#include "../proto/ngx_egress_field.h"
#include "../relay/ngx_egress_limit.h"


/* of a response: all fields, all interim responses, all trailers */
#define NGX_HTTP_EGRESS_MAX_HEAD  65536


typedef enum {
    NGX_HTTP_EGRESS_FORWARDED_OFF = 0,
    NGX_HTTP_EGRESS_FORWARDED_CLASSIC,     /* X-Forwarded-For */
    NGX_HTTP_EGRESS_FORWARDED_STANDARD     /* Forwarded, RFC 7239 */
} ngx_http_egress_forwarded_e;


typedef struct {
    ngx_http_upstream_conf_t   upstream;   /* what the core wants to know */
    ngx_egress_tls_t          *tls;        /* NULL: no https */
    ngx_flag_t                 https;
    ngx_uint_t                 keepalive;  /* of a worker; 0: none */
    ngx_msec_t                 keepalive_timeout;
    ngx_flag_t                 via;
    ngx_uint_t                 forwarded;  /* ngx_http_egress_forwarded_e */
    ngx_flag_t                 steal_forwarded;
    ngx_flag_t                 custom_host;
} ngx_http_egress_forward_conf_t;


/* In place of the functions of the connection to the origin. */
typedef struct {
    ngx_egress_limit_t         upload;
    ngx_egress_limit_t         download;
    ngx_recv_pt                recv;
    ngx_send_pt                send;
    ngx_send_chain_pt          send_chain;
} ngx_http_egress_limits_t;


/* A body of chunks and its trailers, on the way to the client. */
typedef struct {
    ngx_egress_chunked_t       chunk;
    ngx_egress_field_t         field;
    ngx_uint_t                 trailer;    /* the last chunk was read */
    size_t                     size;       /* of the trailers so far */
    ngx_str_t                  line;       /* "namevalue" of a trailer, */
    size_t                     name_len;   /* allocated with the first */
} ngx_http_egress_chunks_t;


typedef struct {
    ngx_http_request_t               *request;
    ngx_http_egress_ctx_t            *ctx;
    ngx_egress_task_t                *task;
    ngx_http_egress_forward_conf_t   *conf;

    /* request */
    ngx_http_egress_nominated_t       nominated;  /* by the client */
    ngx_str_t                         uri;        /* origin-form */
    size_t                            request_size;  /* of the head sent */
    ngx_int_t                         max_forwards;  /* -1: none */
    ngx_chain_t                      *free;       /* of the chunks sent */
    ngx_chain_t                      *busy;
    ngx_http_event_handler_pt         read_body;  /* the core's */

    /* peer */
    ngx_str_t                         names[3];   /* of the first, the retry,
                                                     none: that failed, too */
    ngx_uint_t                        attempts;
    ngx_connection_t                 *dead;       /* a failed one, for get() */
    ngx_http_egress_limits_t         *limits;     /* NULL: none */
    ngx_event_t                       event;      /* goes on after a failure */
    ngx_egress_reason_e               reason;     /* of a failure */

    /* response */
    ngx_http_status_t                 status;
    ngx_list_t                        fields;     /* all, as received */
    size_t                            head;       /* bytes consumed of it */
    size_t                            interim;    /* ... of all before */
    ngx_http_egress_nominated_t       nominated_back;
    ngx_table_elt_t                   no_server;
    ngx_http_egress_chunks_t          chunks;

    unsigned                          https:1;
    unsigned                          body:1;     /* the request has one */
    unsigned                          chunked_out:1;
    unsigned                          head_out:1; /* given to the writer */
    unsigned                          unwritable:1;  /* body not wanted */
    unsigned                          upgrade:1;  /* asked for */
    unsigned                          expect:1;   /* 100-continue */
    unsigned                          trailers:1; /* client wants them */
    unsigned                          retry:1;
    unsigned                          waiting:1;  /* for the connector */

    unsigned                          status_done:1;
    unsigned                          chunked:1;
    unsigned                          close:1;
    unsigned                          excess:1;   /* bytes behind the end */
    unsigned                          complete:1; /* the core says so */
} ngx_http_egress_forward_t;


/* forward.c: ends with a page, if the client has nothing of the answer yet */
void ngx_http_egress_forward_fail(ngx_http_egress_forward_t *fwd,
    ngx_uint_t reason);

/* forward.c: the client is gone while ngx_http_upstream is at work */
void ngx_http_egress_forward_gone(ngx_http_request_t *r);

/* forward_peer.c */
extern ngx_http_upstream_srv_conf_t  ngx_http_egress_forward_upstream;

/* The connection of a retry takes the place of the failed one. */
void ngx_http_egress_forward_swap(ngx_http_egress_forward_t *fwd);

/* What is left when the core has finished with the upstream. */
void ngx_http_egress_forward_drop(ngx_http_egress_forward_t *fwd);

/*
 * forward_limit.c: slows the connection down, if it has to be; and before it
 * is given back or closed
 */
ngx_int_t ngx_http_egress_forward_limit(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c);
void ngx_http_egress_forward_unlimit(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c);

/* forward_request.c: 0, or a reason to refuse */
ngx_uint_t ngx_http_egress_forward_check(ngx_http_egress_forward_t *fwd);
ngx_int_t ngx_http_egress_forward_create_request(ngx_http_request_t *r);

/* forward_upload.c: the last filter of u->output */
ngx_int_t ngx_http_egress_forward_upload(void *data, ngx_chain_t *in);

/* forward_response.c */
ngx_int_t ngx_http_egress_forward_reset(ngx_http_egress_forward_t *fwd);
ngx_int_t ngx_http_egress_forward_process_header(ngx_http_request_t *r);

/*
 * forward_fields.c: reads framing and Connection of a complete head, then
 * gives what may pass to the core.  NGX_DECLINED: invalid, logged.
 */
ngx_int_t ngx_http_egress_forward_framing(ngx_http_egress_forward_t *fwd);
ngx_int_t ngx_http_egress_forward_publish(ngx_http_egress_forward_t *fwd);

/* May it pass to the client? */
ngx_uint_t ngx_http_egress_forward_passes(ngx_http_egress_forward_t *fwd,
    ngx_table_elt_t *h);

/* forward_body.c: the input filter */
ngx_int_t ngx_http_egress_forward_body_init(void *data);
ngx_int_t ngx_http_egress_forward_body(void *data, ssize_t bytes);


extern ngx_module_t  ngx_http_egress_forward_module;


#endif /* _NGX_HTTP_EGRESS_FORWARD_H_INCLUDED_ */
