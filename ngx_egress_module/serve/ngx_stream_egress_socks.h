
/*
 * Copyright (C) ngx_egress authors
 *
 * What the files of the SOCKS server share, nobody else includes it.
 *
 *     ngx_stream_egress_socks_module.c    directives
 *     ngx_stream_egress_socks_conf.c      their arguments, those of UDP
 *     ngx_stream_egress_socks.c           greeting, user, request, reply
 *     ngx_stream_egress_socks_udp.c       UDP ASSOCIATE
 */

#ifndef _NGX_STREAM_EGRESS_SOCKS_H_INCLUDED_
#define _NGX_STREAM_EGRESS_SOCKS_H_INCLUDED_


#include "ngx_stream_egress.h"
#include "../proto/ngx_egress_socks4.h"
#include "../proto/ngx_egress_socks5.h"
#include "../relay/ngx_egress_udp.h"


typedef enum {
    NGX_STREAM_EGRESS_SOCKS_UDP_OFF = 0,
    NGX_STREAM_EGRESS_SOCKS_UDP_ASSOCIATE,  /* many peers, RFC 1928 */
    NGX_STREAM_EGRESS_SOCKS_UDP_CONNECT     /* one peer */
} ngx_stream_egress_socks_udp_e;


/* A bound address, and what the client is told instead. */
typedef struct {
    ngx_egress_addr_t                 local;
    ngx_egress_addr_t                 echo;
} ngx_stream_egress_socks_echo_t;


typedef struct {
    ngx_flag_t                        socks4;

    ngx_uint_t                        udp;       /* ..._udp_e */
    ngx_array_t                      *bind4;     /* of ngx_addr_t, or NULL: */
    ngx_array_t                      *bind6;     /* where the client came */
    in_port_t                         port_min;  /* 0: any */
    in_port_t                         port_max;
    size_t                            receive_buffer;
    size_t                            send_buffer;
    ngx_msec_t                        initial_timeout;
    ngx_flag_t                        transmute;
    ngx_array_t                      *echo;      /* of ..._echo_t, or NULL */
    ngx_egress_udp_limit_t            limit;
} ngx_stream_egress_socks_conf_t;


/* What a client that has to be refused is told. */
typedef enum {
    ngx_stream_egress_socks_greeting = 0,  /* nothing: its version is not
                                              known, or it has no method */
    ngx_stream_egress_socks_auth,          /* the status of RFC 1929 */
    ngx_stream_egress_socks_request,       /* a reply */
    ngx_stream_egress_socks_answered       /* nothing, it has its answer */
} ngx_stream_egress_socks_stage_e;


/* Of one session until its relay begins. */
typedef struct {
    ngx_stream_egress_socks_stage_e   stage;
    ngx_uint_t                        version;   /* 0: not known, 4, 5 */
    ngx_uint_t                        command;   /* NGX_EGRESS_SOCKS_* */
    ngx_uint_t                        code;      /* of the reply, where no
                                                    reason stands for it */
    ngx_msec_t                        deadline;  /* of the negotiation */

    union {
        ngx_egress_socks4_request_t   socks4;
        ngx_egress_socks5_greeting_t  greeting;
        ngx_egress_socks5_auth_t      auth;
        ngx_egress_socks5_request_t   request;
    } in;                                        /* the message being read */

    u_char                            out[NGX_EGRESS_SOCKS5_REPLY_LEN];
} ngx_stream_egress_socks_t;


/* The content handler. */
void ngx_stream_egress_socks_handler(ngx_stream_session_t *s);

/*
 * Says that the request is granted, with that address (NULL: none), then
 * calls done().
 */
void ngx_stream_egress_socks_grant(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_addr_t *bound, ngx_stream_egress_pt done);


/*
 * UDP ASSOCIATE: binds a socket for the client and runs the task; connected()
 * is replaced.
 */
void ngx_stream_egress_socks_associate(ngx_stream_egress_ctx_t *ctx);


/* ngx_stream_egress_socks_conf.c */

char *ngx_stream_egress_socks_bind(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_stream_egress_socks_port_range(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_stream_egress_socks_buffer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_stream_egress_socks_transmute(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_stream_egress_socks_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


extern ngx_module_t  ngx_stream_egress_socks_module;


#endif /* _NGX_STREAM_EGRESS_SOCKS_H_INCLUDED_ */
