/*
 * Copyright (C) ngx_egress authors
 *
 * Diversion in stream { }: the sender divert_pass and the receiver
 * divert_accept.
 */

#ifndef _NGX_STREAM_DIVERT_H_INCLUDED_
#define _NGX_STREAM_DIVERT_H_INCLUDED_


#include "ngx_egress_divert.h"
#include "../ngx_egress_module/connect/ngx_egress_keepalive.h"
#include "../ngx_egress_module/connect/ngx_egress_tls.h"
#include "../ngx_egress_module/serve/ngx_stream_egress.h"


/* -------------------------------------------------------------- sender */

typedef struct {
    ngx_uint_t                       type;
    ngx_stream_complex_value_t       value;
} ngx_stream_divert_tlv_t;


typedef struct {
    ngx_stream_upstream_srv_conf_t  *upstream;        /* or */
    ngx_stream_complex_value_t      *upstream_value;  /* both NULL: unused */

    ngx_stream_complex_value_t      *target;
    ngx_stream_complex_value_t      *tls_name;
    ngx_stream_complex_value_t      *username;
    ngx_array_t                     *tlvs;     /* of ngx_stream_divert_tlv_t */
    ngx_flag_t                       crc;      /* divert_tlv crc32c */

    ngx_flag_t                       ssl;
    ngx_egress_tls_t                *tls;      /* NULL: not ssl */
    ngx_stream_complex_value_t      *ssl_name;

    ngx_msec_t                       connect_timeout;
    ngx_msec_t                       timeout;
    ngx_flag_t                       next_upstream;
    ngx_uint_t                       next_upstream_tries;
    ngx_msec_t                       next_upstream_timeout;
    ngx_flag_t                       socket_keepalive;

    ngx_egress_connect_conf_t        connect;  /* zeroed: has no limits */
} ngx_stream_divert_pass_conf_t;


/*
 * One session that is diverted; the upstream parts are in s->upstream, as
 * balancers and $upstream_* want it.
 */

typedef struct {
    ngx_stream_session_t            *session;
    ngx_stream_egress_ctx_t         *ctx;
    ngx_egress_task_t               *task;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                        ident;

    ngx_stream_divert_pass_conf_t   *conf;
    ngx_egress_task_pt               finish;   /* of the common flow */

    ngx_event_t                      timer;    /* of one attempt, all of it */
    ngx_egress_reason_e              late;     /* what it means if it is over
                                                  now */

    ngx_str_t                        host;     /* of the peers; may be empty */
    ngx_str_t                        header;
    size_t                           sent;     /* of it, to this peer */
} ngx_stream_divert_pass_t;


/* The content handler of divert_pass. */
void ngx_stream_divert_pass_handler(ngx_stream_session_t *s);

/* ngx_stream_divert_pass.c: u->peer.connection is open. */
void ngx_stream_divert_pass_connected(ngx_stream_divert_pass_t *dp);

/*
 * ngx_stream_divert_peer.c.  start: finds the peers and connects to the first
 * one; next: that one has failed; stop: gives the peer back, also twice.
 */
void ngx_stream_divert_peer_start(ngx_stream_divert_pass_t *dp);
void ngx_stream_divert_peer_next(ngx_stream_divert_pass_t *dp,
    ngx_uint_t reason);
void ngx_stream_divert_peer_stop(ngx_stream_divert_pass_t *dp);


/* ------------------------------------------------------------ receiver */

/* What was read from one client; values stay where they were read. */

typedef struct {
    ngx_egress_pp2_t                 pp;
    u_char                          *buf;
    size_t                           size;     /* of buf */
    size_t                           len;      /* bytes in it */

    ngx_str_t                        target;   /* normalized, or len 0 */
    ngx_str_t                        id;       /* 16 bytes, or len 0 */
    unsigned                         done:1;   /* all of the header is there */
} ngx_stream_divert_ctx_t;


/* NULL: the session has no header, or not all of it yet. */
ngx_stream_divert_ctx_t *ngx_stream_divert_get_ctx(ngx_stream_session_t *s);

ngx_int_t ngx_stream_divert_add_variables(ngx_conf_t *cf);


extern ngx_module_t  ngx_stream_divert_module;
extern ngx_module_t  ngx_stream_divert_accept_module;


#endif /* _NGX_STREAM_DIVERT_H_INCLUDED_ */
