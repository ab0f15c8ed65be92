/*
 * Copyright (C) ngx_egress authors
 *
 * TLS towards a peer or a target: egress_tls_client { } and divert_tls_client
 * { } are one thing with one command table.
 */

#ifndef _NGX_EGRESS_TLS_H_INCLUDED_
#define _NGX_EGRESS_TLS_H_INCLUDED_


#include "../ngx_egress.h"


typedef struct ngx_egress_tls_sessions_s   ngx_egress_tls_sessions_t;
typedef struct ngx_egress_tls_handshake_s  ngx_egress_tls_handshake_t;


struct ngx_egress_tls_s {
#if (NGX_SSL)
    ngx_ssl_t                   ssl;          /* freed with cf->pool */
#endif
    ngx_egress_tls_sessions_t  *sessions;     /* of this worker; or NULL */

    ngx_flag_t                  verify;       /* on */
    ngx_uint_t                  verify_depth; /* 5 */
    ngx_flag_t                  server_name;  /* send SNI: on */
    ngx_flag_t                  session_reuse; /* on */
    ngx_str_t                   ca_certificate;  /* empty: the system's */
    ngx_str_t                   crl;
    ngx_str_t                   certificate;
    ngx_str_t                   private_key;
    ngx_uint_t                  protocols;    /* TLSv1.2 TLSv1.3 */
    ngx_str_t                   ciphers;
    ngx_str_t                   alpn;         /* as on the wire; len 0: none */
    ngx_str_t                   name;         /* SNI and name to verify,
                                                 instead of the host */
};


/*
 * A setter for a block directive: stores an ngx_egress_tls_t * at
 * cmd->offset and is usable in egress { }, http { } and stream { }.
 */
char *ngx_egress_tls_client_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The settings an empty block gives; NULL: error, logged. */
ngx_egress_tls_t *ngx_egress_tls_default(ngx_conf_t *cf);


/* It failed, or is through (reason 0); c->ssl->handshaked tells as well. */
typedef void (*ngx_egress_tls_pt)(ngx_connection_t *c, void *data,
    ngx_uint_t reason);


/*
 * One client handshake.  Zeroed and allocated by the caller from c->pool:
 * session tickets may come as long as the connection lives.
 */

struct ngx_egress_tls_handshake_s {
    ngx_egress_tls_t         *tls;       /* in */
    ngx_str_t                 name;      /* in: SNI (not for literals) and
                                            what is verified, a host as
                                            ngx_egress_addr_host() takes it */
    ngx_str_t                 owner;     /* in: sessions are reused only for
                                            the same name, owner and local
                                            address: they can be linked by
                                            the peer; must stay */
    ngx_egress_tls_pt         handler;   /* in */
    void                     *data;      /* in */

    ngx_egress_reason_e       reason;    /* out, with NGX_ERROR */

    ngx_egress_addr_t         addr;      /* of name, parsed */
    ngx_str_t                 key;       /* of the session */
};


/*
 * NGX_OK: done; NGX_AGAIN: handler will be called, never from inside;
 * NGX_ERROR: hs->reason.  c needs a pool.  If c already speaks TLS, the new
 * session is spoken inside of the old one.  The caller owns the timer, closes
 * c on failure with ngx_egress_close_connection(), and sets the handlers of
 * the events again afterwards.
 */
ngx_int_t ngx_egress_tls_handshake(ngx_egress_tls_handshake_t *hs,
    ngx_connection_t *c);


#if (NGX_SSL)

/* between the files of tls */

/* Is the peer who it should be?  NGX_ERROR: logged. */
ngx_int_t ngx_egress_tls_verify(ngx_egress_tls_handshake_t *hs,
    ngx_ssl_conn_t *ssl_conn, ngx_log_t *log);

ngx_int_t ngx_egress_tls_sessions_init(ngx_conf_t *cf, ngx_egress_tls_t *tls);
ngx_int_t ngx_egress_tls_session_set(ngx_egress_tls_handshake_t *hs,
    ngx_connection_t *c);

extern int  ngx_egress_tls_handshake_index;

#endif


#endif /* _NGX_EGRESS_TLS_H_INCLUDED_ */
