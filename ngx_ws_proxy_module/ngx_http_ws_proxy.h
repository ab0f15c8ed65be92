
/*
 * Copyright (C) ngx_egress authors
 *
 * The WebSocket reverse proxy.  One session:
 *
 *   handler    ngx_http_ws_proxy_module.c: checks the client's handshake
 *              (_handshake.c) or leaves by ws_proxy_fallback
 *   request    _request.c: the handshake for the backend; ngx_http_upstream
 *              picks the backend, connects, tries the next one
 *   response   _response.c: checks the 101, or passes another answer on
 *   pump       _pump.c: takes both connections over; _move.c moves bytes
 *              between them under the eyes of ngx_ws_watch.h
 *   close      _close.c: Close frames of our own, pings, timeouts, shutdown
 */


#ifndef _NGX_HTTP_WS_PROXY_H_INCLUDED_
#define _NGX_HTTP_WS_PROXY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_ws_conf.h>
#include <ngx_ws_frame.h>
#include <ngx_ws_watch.h>
#include <ngx_ws_handshake.h>


/* directions, and the sides they read from */

#define NGX_HTTP_WS_CLIENT          0
#define NGX_HTTP_WS_BACKEND         1

/* who closed first, for $ws_proxy_closed_by */

#define NGX_HTTP_WS_NOBODY          0
#define NGX_HTTP_WS_BY_CLIENT       1
#define NGX_HTTP_WS_BY_BACKEND      2
#define NGX_HTTP_WS_BY_PROXY        3

/* enough for a ping and a Close frame one behind the other */

#define NGX_HTTP_WS_INJECT_MAX      160

/* payload of our pings: "nginx " and a number */

#define NGX_HTTP_WS_PING_LEN        14


typedef struct {
    unsigned                    ssl:1;
    ngx_str_t                   schema;   /* "ws://" */
    ngx_str_t                   host;     /* for the Host header */
    ngx_str_t                   uri;      /* empty: that of the request */
} ngx_http_ws_proxy_url_t;


typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   lowcase;
    ngx_http_complex_value_t    value;
} ngx_http_ws_proxy_header_t;


typedef struct {
    ngx_str_t                   prefix;   /* what is before the * */
    ngx_str_t                   suffix;   /* and behind it */
    unsigned                    wildcard:1;
#if (NGX_PCRE)
    ngx_regex_t                *regex;
#endif
} ngx_http_ws_proxy_origin_t;


typedef struct {
    ngx_http_upstream_conf_t    upstream;

    ngx_http_ws_proxy_url_t     url;      /* without variables */
    ngx_http_complex_value_t   *url_value;  /* with */
    ngx_str_t                   location; /* replaced by the URI of url */

    ngx_array_t                *headers;  /* ngx_http_ws_proxy_header_t */
    ngx_flag_t                  keep_host;
    ngx_flag_t                  extensions;

    ngx_array_t                *origins;  /* ngx_http_ws_proxy_origin_t */
    ngx_uint_t                  origin_none;  /* no Origin is fine */
    ngx_uint_t                  origin_same;  /* that of the Host is fine */
    ngx_str_t                   fallback;

    size_t                      client_max;   /* message sizes, 0: any */
    size_t                      server_max;
    ngx_flag_t                  inflate;
    ngx_flag_t                  utf8;

    ngx_msec_t                  read_timeout;   /* of the open session */
    ngx_msec_t                  close_timeout;
    ngx_msec_t                  ping;           /* 0: none */
    ngx_msec_t                  pong;

#if (NGX_HTTP_SSL)
    ngx_uint_t                  ssl_used;
    ngx_uint_t                  ssl_protocols;
    ngx_str_t                   ssl_ciphers;
    ngx_uint_t                  ssl_verify_depth;
    ngx_str_t                   ssl_trusted_certificate;
    ngx_str_t                   ssl_crl;
    ngx_array_t                *ssl_conf_commands;
#endif
} ngx_http_ws_proxy_loc_conf_t;


/*
 * One direction: what has been read from src and is on its way to dst.  The
 * bytes are in the worker's shared buffer during a pass and only what dst
 * refused, or what may not be forwarded yet, moves to a private one:
 *
 *     start    pos        safe        seen       last       end
 *       |  sent |  to send  |   held   |  unseen  |   free   |
 */

typedef struct {
    ngx_connection_t           *src;
    ngx_connection_t           *dst;

    ngx_ws_watch_t              watch;
    ngx_ws_inflate_t            inflate;

    u_char                     *start;    /* NULL: no bytes, no buffer */
    u_char                     *pos;
    u_char                     *seen;
    u_char                     *last;
    u_char                     *end;
    u_char                     *keep;     /* discard: the end of "to send" */

    size_t                      inject_len;   /* our frames for dst */
    size_t                      inject_sent;
    u_char                      inject[NGX_HTTP_WS_INJECT_MAX];

    ngx_msec_t                  heard;    /* when src was last heard of */
    ngx_msec_t                  stuck;    /* since when dst takes no bytes */
    ngx_msec_t                  pinged;   /* when src was sent a ping */
    uint32_t                    ping;     /* its number */

    unsigned                    eof:1;        /* src is at its end */
    unsigned                    src_closed:1; /* src sent Close */
    unsigned                    dst_closed:1; /* Close goes to dst */
    unsigned                    discard:1;    /* forward nothing more */
    unsigned                    closing:1;    /* our Close after this frame */
    unsigned                    cut:1;        /* dst is inside of a frame */
    unsigned                    bad:1;        /* src broke the framing */
    unsigned                    is_stuck:1;
    unsigned                    pinging:1;      /* inject is a ping */
    unsigned                    awaits_pong:1;  /* and is idle till then */
    unsigned                    ping_open:1;    /* its pong is swallowed */
    unsigned                    shut:1;       /* src got our FIN */
    unsigned                    busy:1;       /* watch has not come to an end */
    ngx_uint_t                  close_code;   /* of our Close */
    ngx_str_t                   close_reason;
} ngx_http_ws_proxy_dir_t;


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_ws_proxy_loc_conf_t  *conf;

    ngx_http_ws_proxy_url_t     url;
    ngx_str_t                   key;      /* the client's */
    unsigned                    offered:1;    /* extensions, to the backend */

    ngx_http_status_t           status;
    ngx_http_chunked_t          chunked;
    ngx_ws_extensions_t         accepted;     /* extensions */
    unsigned                    upgraded:1;   /* the backend sent 101 */

    /* from here on: the open session */

    unsigned                    open:1;
    unsigned                    over:1;
    unsigned                    late:1;       /* close_timeout is over */
    unsigned                    read_ready:1; /* backend had more to read */

    ngx_http_ws_proxy_dir_t     dir[2];

    ngx_msec_t                  moved;    /* when bytes were last sent */
    ngx_event_t                 timer;
    ngx_msec_t                  close_at;     /* if closing */
    unsigned                    closing:1;
    ngx_queue_t                 queue;        /* of the worker's sessions */

    /* for the log */

    ngx_uint_t                  closed_by;
    ngx_uint_t                  close_code;
    const char                 *close_text;
    ngx_msec_t                  dialed;       /* start of the handshake */
    ngx_msec_t                  opened;
    ngx_msec_t                  ended;
} ngx_http_ws_proxy_ctx_t;


extern ngx_module_t  ngx_http_ws_proxy_module;


/*
 * _handshake.c.  NGX_OK: a WebSocket handshake, ctx->key is set;
 * NGX_DECLINED: some other HTTP request; else the status of the refusal.
 */
ngx_int_t ngx_http_ws_proxy_handshake(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx);

/* adds what a 426 has to say; an NGX_HTTP_* status to return */
ngx_int_t ngx_http_ws_proxy_upgrade_required(ngx_http_request_t *r);

/* the first request header of that lower case name, or NULL */
ngx_table_elt_t *ngx_http_ws_proxy_header_in(ngx_http_request_t *r,
    const char *lowcase);

/* walks a list of headers; set *part and *i to the first part and 0 */
ngx_table_elt_t *ngx_http_ws_proxy_header_next(ngx_list_part_t **part,
    ngx_uint_t *i);

/*
 * _url.c.  Fills url from text; u gets host, port and URI.  Errors are told
 * in *err, a static string, or by NGX_ERROR with *err NULL: no memory.
 */
ngx_int_t ngx_http_ws_proxy_url(ngx_pool_t *pool, ngx_str_t *text,
    ngx_url_t *u, ngx_http_ws_proxy_url_t *url, const char **err);

/* evaluates ws_proxy_pass with variables into ctx->url and u->resolved */
ngx_int_t ngx_http_ws_proxy_eval(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx);

/* the URI to ask the backend for; into uri, allocated from r->pool */
ngx_int_t ngx_http_ws_proxy_uri(ngx_http_request_t *r,
    ngx_http_ws_proxy_ctx_t *ctx, ngx_str_t *uri);

/* _request.c: u->create_request and u->reinit_request */
ngx_int_t ngx_http_ws_proxy_create_request(ngx_http_request_t *r);
ngx_int_t ngx_http_ws_proxy_reinit_request(ngx_http_request_t *r);

/* _response.c: u->process_header and u->input_filter_init */
ngx_int_t ngx_http_ws_proxy_process_status(ngx_http_request_t *r);
ngx_int_t ngx_http_ws_proxy_filter_init(void *data);

/*
 * _pump.c.  Called by ngx_http_upstream when the 101 has gone to the client:
 * takes both connections over.  From there on everything happens in events.
 */
ngx_int_t ngx_http_ws_proxy_open(ngx_http_ws_proxy_ctx_t *ctx);

/* moves what can be moved, in both directions, and ends what is over */
void ngx_http_ws_proxy_run(ngx_http_ws_proxy_ctx_t *ctx);

/* runs again when the worker has looked after its other connections */
void ngx_http_ws_proxy_run_later(ngx_http_ws_proxy_ctx_t *ctx);

/*
 * _move.c.  Moves the bytes of a direction as far as they go.  NGX_ERROR:
 * there is no memory.
 */
ngx_int_t ngx_http_ws_proxy_move(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);

/* gives the memory of a direction back, with the bytes in it */
void ngx_http_ws_proxy_empty(ngx_http_ws_proxy_dir_t *dir);

/* u->finalize_request: whatever ends the session ends here */
void ngx_http_ws_proxy_finalize(ngx_http_request_t *r, ngx_int_t rc);

/* _close.c: ends the session with Close frames of our own */
void ngx_http_ws_proxy_close(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_uint_t client_code, ngx_uint_t backend_code, const char *reason);

/* a frame from that direction's source breaks the rules */
void ngx_http_ws_proxy_violation(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);

/* a control frame is complete; NGX_DECLINED: it must not be forwarded */
ngx_int_t ngx_http_ws_proxy_control(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);

/* src is at its end */
void ngx_http_ws_proxy_eof(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);

/* dst takes nothing more, but may have said why: what it sent still counts */
void ngx_http_ws_proxy_lost(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);

/* puts the Close that is due behind the last frame of the direction */
void ngx_http_ws_proxy_inject_close(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);

/* sends a ping to dst; its pong must come from the other direction's src */
/* as soon as it has left, see ngx_http_ws_proxy_pinged() */
void ngx_http_ws_proxy_send_ping(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
void ngx_http_ws_proxy_pinged(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
void ngx_http_ws_proxy_ping_payload(u_char *p, uint32_t n);

/* notes how the session was closed, the first call counts */
void ngx_http_ws_proxy_closed(ngx_http_ws_proxy_ctx_t *ctx, ngx_uint_t by,
    ngx_uint_t code, const char *text);

/* last words on connections that will be closed at once */
void ngx_http_ws_proxy_goodbye(ngx_http_ws_proxy_ctx_t *ctx);

/* _timer.c: timeouts, pings and the sessions of this worker */
void ngx_http_ws_proxy_timer_init(ngx_http_ws_proxy_ctx_t *ctx);
void ngx_http_ws_proxy_timer_set(ngx_http_ws_proxy_ctx_t *ctx);
void ngx_http_ws_proxy_timer_done(ngx_http_ws_proxy_ctx_t *ctx);
void ngx_http_ws_proxy_exit_process(ngx_cycle_t *cycle);

/* _variables.c */
ngx_int_t ngx_http_ws_proxy_add_variables(ngx_conf_t *cf);

/* _ssl.c: the SSL context of wss:// and https:// backends */
#if (NGX_HTTP_SSL)
extern ngx_conf_bitmask_t  ngx_http_ws_proxy_ssl_protocols[];

char *ngx_http_ws_proxy_ssl_password_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_ws_proxy_create_ssl(ngx_http_ws_proxy_loc_conf_t *conf);
char *ngx_http_ws_proxy_merge_ssl(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *prev, ngx_http_ws_proxy_loc_conf_t *conf);
#endif

/* _conf.c: setters */
char *ngx_http_ws_proxy_set_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ws_proxy_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ws_proxy_set_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ws_proxy_set_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ws_proxy_set_ping(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the content handler */
ngx_int_t ngx_http_ws_proxy_handler(ngx_http_request_t *r);


#define ngx_http_ws_proxy_safe(dir)                                           \
    ((dir)->discard ? (dir)->keep : (dir)->seen - (dir)->watch.held)

#define ngx_http_ws_proxy_other(ctx, d)                                       \
    (&(ctx)->dir[(d) == &(ctx)->dir[0] ? 1 : 0])


#endif /* _NGX_HTTP_WS_PROXY_H_INCLUDED_ */
