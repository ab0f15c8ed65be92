
/*
 * Copyright (C) ngx_egress authors
 *
 * Active health checks of upstream servers, for ws_proxy_pass and for every
 * other module that uses nginx's upstream blocks:
 *
 *   zone     ngx_ws_health_zone.c: the state of each server and check in
 *            shared memory, and the lease that makes one worker probe it
 *   peers    ngx_ws_health_peers.c: puts the state into the peers that the
 *            balancers look at, and answers 503 when none is left
 *   sched    ngx_ws_health_sched.c: takes what is due, passes results on
 *   probe    ngx_ws_probe.c and ngx_ws_probe_*.c: one connection, one verdict
 *   match    ngx_ws_match.c: what a response must look like
 *   view     ngx_ws_health_view.c: JSON, Prometheus, variables
 */


#ifndef _NGX_WS_HEALTH_H_INCLUDED_
#define _NGX_WS_HEALTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>
#include <ngx_md5.h>
#include <ngx_ws_conf.h>
#include <ngx_ws_match.h>


/* our bit in peer->down; 1 is the configuration's, 8 says draining */
#define NGX_WS_HEALTH_DOWN          0x100

#define NGX_WS_HEALTH_REASON        96


typedef struct ngx_ws_probe_s         ngx_ws_probe_t;
typedef struct ngx_ws_health_check_s  ngx_ws_health_check_t;
typedef struct ngx_ws_health_conf_s   ngx_ws_health_conf_t;


/* a type of checks: one row of the table in ngx_ws_probe.c */

typedef struct {
    ngx_str_t                   name;     /* type=... */

    /* the connection, TLS included, is open */
    void                      (*open)(ngx_ws_probe_t *probe);

    /* there are new bytes in probe->in; eof: there will be no more */
    void                      (*read)(ngx_ws_probe_t *probe, ngx_uint_t eof);
} ngx_ws_probe_type_t;


/* one line of ws_proxy_health_check */

struct ngx_ws_health_check_s {
    ngx_ws_probe_type_t        *type;
    ngx_msec_t                  interval;
    ngx_msec_t                  jitter;
    ngx_msec_t                  timeout;
    ngx_uint_t                  fails;
    ngx_uint_t                  passes;
    in_port_t                   port;     /* 0: the server's */
    ngx_str_t                   method;
    ngx_str_t                   uri;
    ngx_str_t                   host;     /* empty: the upstream's name */
    ngx_str_t                   headers;  /* lines, each with CRLF */
    ngx_str_t                   body;
    ngx_str_t                   match_name;
    ngx_ws_match_t             *match;
    ngx_str_t                   id;       /* what makes it another check */
    ngx_uint_t                  twin;     /* its number among those alike */
    unsigned                    mandatory:1;
    unsigned                    ping:1;
#if (NGX_HTTP_SSL)
    ngx_ssl_t                  *ssl;      /* NULL: no TLS */
    ngx_str_t                   ssl_name;
    ngx_str_t                   ssl_trusted_certificate;
    unsigned                    use_ssl:1;
    unsigned                    ssl_verify:1;
#endif
};


/* the state of one server under one check; everything is behind the mutex */

typedef struct {
    ngx_rbtree_node_t           node;     /* key: the beginning of id */
    u_char                      id[16];
    time_t                      touched;  /* by a worker that uses it */

    ngx_uint_t                  up;
    ngx_uint_t                  fails;    /* in a row */
    ngx_uint_t                  passes;

    ngx_msec_t                  next;     /* when the next probe is due */
    ngx_msec_t                  lease;    /* till when it is being probed */
    ngx_uint_t                  leased;
    ngx_pid_t                   owner;
    uint64_t                    ticket;   /* of the current lease */

    uint64_t                    checks;
    uint64_t                    failed;
    uint64_t                    changes;
    time_t                      checked;  /* last probe, 0: never */
    time_t                      since;    /* last change */
    ngx_msec_t                  latency;  /* of the last probe */
    u_char                      reason[NGX_WS_HEALTH_REASON];
} ngx_ws_health_state_t;


/* a copy of the above, for views and for decisions outside of the mutex */

typedef struct {
    ngx_uint_t                  up;
    uint64_t                    checks;
    uint64_t                    failed;
    uint64_t                    changes;
    time_t                      checked;
    time_t                      since;
    ngx_msec_t                  latency;
    u_char                      reason[NGX_WS_HEALTH_REASON];
} ngx_ws_health_info_t;


/* a server of an upstream, as this worker knows it */

typedef struct {
    ngx_str_t                   name;     /* its address */
    ngx_str_t                   server;   /* what the configuration says */
    struct sockaddr            *sockaddr;
    socklen_t                   socklen;
    unsigned                    backup:1;
    unsigned                    down:1;   /* by configuration: not probed */
    unsigned                    up:1;     /* at the last look */
    ngx_ws_health_state_t     **states;   /* one per check */
    u_char                    (*ids)[16];
} ngx_ws_health_target_t;


/* srv_conf of an upstream block */

struct ngx_ws_health_conf_s {
    ngx_array_t                *checks;   /* ngx_ws_health_check_t */
    ngx_uint_t                  any;      /* ws_proxy_health_fallback any */

    ngx_http_upstream_srv_conf_t    *upstream;
    ngx_http_upstream_init_peer_pt   original_init;

    /* this worker's view */

    ngx_pool_t                 *pool;     /* of targets */
    ngx_array_t                 targets;  /* ngx_ws_health_target_t */
    ngx_uint_t                  config;   /* of the peers */
    ngx_atomic_uint_t           generation;
    ngx_uint_t                  usable;   /* servers to choose from */
    ngx_uint_t                  healthy;  /* of those not "down" */
    unsigned                    ready:1;
};


typedef struct {
    ngx_array_t                 matches;  /* ngx_ws_match_t * */
    ngx_array_t                 upstreams;  /* ngx_ws_health_conf_t * */
    ngx_shm_zone_t             *zone;
    size_t                      zone_size;
} ngx_ws_health_main_conf_t;


struct ngx_ws_probe_s {
    ngx_pool_t                 *pool;
    ngx_log_t                   log;
    ngx_peer_connection_t       peer;
    ngx_ws_health_conf_t       *conf;
    ngx_ws_health_check_t      *check;
    ngx_ws_health_state_t      *state;
    u_char                      id[16];
    uint64_t                    ticket;
    ngx_str_t                   name;     /* of the server */
    ngx_queue_t                 queue;
    ngx_msec_t                  started;

    ngx_buf_t                  *out;
    ngx_buf_t                  *in;

    ngx_ws_response_t           response;
    ngx_uint_t                  step;     /* of the type */
    u_char                      key[24];  /* websocket: Sec-WebSocket-Key */
    u_char                      text[NGX_WS_HEALTH_REASON];
    unsigned                    judged:1; /* the verdict is out */
};


extern ngx_module_t  ngx_http_ws_health_module;


/* _conf.c */
char *ngx_ws_health_set_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
#if (NGX_HTTP_SSL)
ngx_int_t ngx_ws_health_ssl(ngx_conf_t *cf, ngx_ws_health_check_t *check);
#endif

/* _zone.c */
ngx_int_t ngx_ws_health_zone_init(ngx_shm_zone_t *zone, void *data);

/* finds or makes a state; NULL: the zone is full.  Under no lock. */
ngx_ws_health_state_t *ngx_ws_health_state(ngx_shm_zone_t *zone, u_char *id,
    ngx_ws_health_check_t *check);

/* a number that changes with any server's state */
ngx_atomic_uint_t ngx_ws_health_generation(ngx_shm_zone_t *zone);

/* NGX_DECLINED: the state is now somebody else's, ask for it again */
ngx_int_t ngx_ws_health_read(ngx_shm_zone_t *zone,
    ngx_ws_health_state_t *state, u_char *id, ngx_ws_health_info_t *info);

/*
 * Takes the lease if a probe is due: NGX_OK and its ticket.  NGX_AGAIN: *wait
 * tells in how many milliseconds to ask again.  NGX_DECLINED: see above.
 */
ngx_int_t ngx_ws_health_lease(ngx_shm_zone_t *zone,
    ngx_ws_health_state_t *state, u_char *id, ngx_ws_health_check_t *check,
    uint64_t *ticket, ngx_msec_t *wait);

/* gives the lease back without a result */
void ngx_ws_health_release(ngx_shm_zone_t *zone, ngx_ws_probe_t *probe);

/*
 * Notes a result, if the lease is still ours.  reason NULL: passed.  NGX_OK:
 * the server is now up, NGX_ERROR: down, NGX_DECLINED: nothing has changed.
 */
ngx_int_t ngx_ws_health_result(ngx_shm_zone_t *zone, ngx_ws_probe_t *probe,
    const char *reason);

/* _peers.c */
ngx_int_t ngx_ws_health_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
/* brings this worker's targets and its peers up to date; cheap if they are */
void ngx_ws_health_sync(ngx_ws_health_conf_t *conf);

/* _sched.c */
ngx_int_t ngx_ws_health_start(ngx_cycle_t *cycle);
void ngx_ws_health_stop(ngx_cycle_t *cycle);
/* whatever happens to a probe, this is called once */
void ngx_ws_health_done(ngx_ws_probe_t *probe, const char *reason);

/* ngx_ws_probe.c */
ngx_ws_probe_type_t *ngx_ws_probe_type(ngx_str_t *name);
ngx_ws_probe_t *ngx_ws_probe_create(ngx_ws_health_conf_t *conf,
    ngx_ws_health_target_t *target, ngx_uint_t check);
void ngx_ws_probe_start(ngx_ws_probe_t *probe);
/* the verdict; reason NULL: passed */
void ngx_ws_probe_verdict(ngx_ws_probe_t *probe, const char *reason);
/* ngx_ws_match() with a reason that names the status */
const char *ngx_ws_probe_match(ngx_ws_probe_t *probe, ngx_uint_t low,
    ngx_uint_t high);
/* ends the connection, with "worker is exiting" if there is no verdict */
void ngx_ws_probe_close(ngx_ws_probe_t *probe);
/* sends what is in probe->out */
void ngx_ws_probe_send(ngx_ws_probe_t *probe);

/* ngx_ws_probe_http.c, _ws.c, _tcp.c */
void ngx_ws_probe_http_open(ngx_ws_probe_t *probe);
void ngx_ws_probe_http_read(ngx_ws_probe_t *probe, ngx_uint_t eof);
ngx_int_t ngx_ws_probe_request(ngx_ws_probe_t *probe, const char *method,
    const char *more, size_t more_len);
void ngx_ws_probe_ws_open(ngx_ws_probe_t *probe);
void ngx_ws_probe_ws_read(ngx_ws_probe_t *probe, ngx_uint_t eof);
void ngx_ws_probe_tcp_open(ngx_ws_probe_t *probe);
void ngx_ws_probe_tcp_read(ngx_ws_probe_t *probe, ngx_uint_t eof);

/* ngx_ws_health_view.c, _variables.c */
char *ngx_ws_health_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_ws_health_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_ws_health_target_info(ngx_ws_health_conf_t *conf,
    ngx_ws_health_target_t *target, ngx_uint_t check,
    ngx_ws_health_info_t *info);

ngx_shm_zone_t *ngx_ws_health_zone(void);


#endif /* _NGX_WS_HEALTH_H_INCLUDED_ */
