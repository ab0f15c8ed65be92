/*
 * Copyright (C) ngx_egress authors
 *
 * The story of one connection, and the contracts between the folders.
 *
 * A server (serve/) accepts a client, learns the target and fills a task.
 * The task walks a graph of named escapers (escape/); the last one fills a
 * hop: whom to connect to, from where, with what in front.  The connector
 * (connect/) turns the hop into an open connection: it asks a resolver
 * (resolve/), has every address judged (policy), races the candidates, then
 * speaks whatever was asked for: PROXY header, TLS, the next proxy, TLS to
 * the target.  The server answers its client and gives both connections to
 * the relay (relay/), or to ngx_http_upstream.  Whatever ends the task ends
 * it once, with one reason.
 *
 * Calls go one way: serve -> user -> task -> escape -> connect -> relay.  The
 * few that must go against the stream are declared here and marked "upward".
 *
 * Unless said otherwise: times are ms, sizes bytes, ports host byte order,
 * an ngx_str_t that is not set has len 0, everything is allocated from the
 * pool of the task or of the configuration and is never freed by hand.
 */

#ifndef _NGX_EGRESS_H_INCLUDED_
#define _NGX_EGRESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_egress_conf.h"
#include "proto/ngx_egress_addr.h"


#define NGX_EGRESS_VERSION         "0.1.0"

#define NGX_EGRESS_MAX_CHAIN       8     /* links a task may walk */
#define NGX_EGRESS_TASK_ID_LEN     16    /* UUIDv7, binary */
#define NGX_EGRESS_TASK_ID_TEXT    36


typedef struct ngx_egress_task_s           ngx_egress_task_t;
typedef struct ngx_egress_hop_s            ngx_egress_hop_t;
typedef struct ngx_egress_escaper_s        ngx_egress_escaper_t;
typedef struct ngx_egress_resolver_s       ngx_egress_resolver_t;
typedef struct ngx_egress_resolve_s        ngx_egress_resolve_t;
typedef struct ngx_egress_filter_s         ngx_egress_filter_t;
typedef struct ngx_egress_redirection_s    ngx_egress_redirection_t;
typedef struct ngx_egress_connector_s      ngx_egress_connector_t;
typedef struct ngx_egress_relay_s          ngx_egress_relay_t;
typedef struct ngx_egress_task_log_s       ngx_egress_task_log_t;
typedef struct ngx_egress_udp_s            ngx_egress_udp_t;
typedef struct ngx_egress_tls_s            ngx_egress_tls_t;
typedef struct ngx_egress_proxy_addr_s     ngx_egress_proxy_addr_t;
typedef struct ngx_egress_proxy_choice_s   ngx_egress_proxy_choice_t;


/* An address without a port. */
typedef struct {
    ngx_uint_t       family;           /* AF_INET or AF_INET6 */
    u_char           bytes[16];        /* network order; 4 or 16 count */
} ngx_egress_ip_t;


/* ------------------------------------------------------------- reasons */

/*
 * Why a task ended, or why an address, a hop or a request was refused.  One
 * row each in task/ngx_egress_reason.c; no other file holds a status literal.
 */

typedef enum {
    NGX_EGRESS_NONE = 0,               /* not ended yet, or ended well */

    NGX_EGRESS_BAD_REQUEST,            /* the client's protocol is broken */
    NGX_EGRESS_BAD_TARGET,             /* host or port malformed */
    NGX_EGRESS_BAD_PATH_SELECTION,
    NGX_EGRESS_AUTH_REQUIRED,
    NGX_EGRESS_FORBIDDEN,              /* a client or user rule */
    NGX_EGRESS_ESCAPER_DENIED,         /* dummy_deny, or no way left */
    NGX_EGRESS_DESTINATION_DENIED,     /* egress_network_filter */
    NGX_EGRESS_SELF_CONNECT,           /* one of our own listening sockets */
    NGX_EGRESS_LOOP,                   /* escapers, or our own Via */
    NGX_EGRESS_UNSUPPORTED,            /* not possible with this escaper */

    NGX_EGRESS_DNS_ERROR,              /* SERVFAIL, refused, broken answer */
    NGX_EGRESS_DNS_NXDOMAIN,
    NGX_EGRESS_DNS_NO_ADDRESS,         /* none of a usable family */
    NGX_EGRESS_DNS_TIMEOUT,
    NGX_EGRESS_DNS_DENIED,             /* deny_all */

    NGX_EGRESS_CONNECTION_REFUSED,
    NGX_EGRESS_CONNECTION_TIMEOUT,
    NGX_EGRESS_CONNECTION_RESET,
    NGX_EGRESS_NETWORK_UNREACHABLE,
    NGX_EGRESS_HOST_UNREACHABLE,
    NGX_EGRESS_BIND_FAILED,            /* the local address is not usable */
    NGX_EGRESS_CONNECTION_FAILED,      /* any other errno */

    NGX_EGRESS_TLS_ERROR,              /* handshake with peer or target */
    NGX_EGRESS_TLS_CERTIFICATE,        /* verification failed */
    NGX_EGRESS_TLS_TIMEOUT,

    NGX_EGRESS_PROXY_ERROR,            /* the next proxy broke its protocol */
    NGX_EGRESS_PROXY_AUTH,             /* ... wants other credentials */
    NGX_EGRESS_PROXY_REFUSED,          /* ... said no */
    NGX_EGRESS_PROXY_TIMEOUT,

    NGX_EGRESS_UPSTREAM_CLOSED,        /* before an answer */
    NGX_EGRESS_UPSTREAM_TIMEOUT,
    NGX_EGRESS_UPSTREAM_INVALID,       /* not HTTP */

    NGX_EGRESS_CLIENT_TIMEOUT,         /* too slow in its own protocol */
    NGX_EGRESS_CLIENT_ABORTED,         /* client gone before or in the relay */
    NGX_EGRESS_UPSTREAM_ABORTED,       /* target reset the relay */
    NGX_EGRESS_IDLE_TIMEOUT,
    NGX_EGRESS_SHUTDOWN,               /* worker_shutdown_timeout */
    NGX_EGRESS_INTERNAL,

    NGX_EGRESS_REASONS                 /* number of rows */
} ngx_egress_reason_e;


typedef struct {
    ngx_str_t            name;         /* $egress_reason: snake_case word */
    ngx_uint_t           status;       /* HTTP; 0: not an answer */
    ngx_uint_t           extended;     /* egress_error_codes extended (g3's) */
    u_char               socks4;       /* reply code: 90 .. 93 */
    u_char               socks5;       /* RFC 1928 section 6, g3's 0x09 */
    ngx_uint_t           level;        /* NGX_LOG_* of the one line it earns */
    ngx_str_t            proxy_status; /* RFC 9209 error type; may be empty */
    ngx_str_t            text;         /* for the error page and the log */
} ngx_egress_reason_t;


/* Never NULL; an unknown number yields the row of NGX_EGRESS_INTERNAL. */
const ngx_egress_reason_t *ngx_egress_reason(ngx_uint_t reason);

/* The reason that stands for a failed connect(2), bind(2), recv(2), send(2). */
ngx_egress_reason_e ngx_egress_reason_errno(ngx_err_t err);


/* ---------------------------------------------------------------- task */

typedef enum {
    ngx_egress_task_new = 0,
    ngx_egress_task_choosing,          /* walking the escaper chain */
    ngx_egress_task_connecting,        /* connector at work on task->hop */
    ngx_egress_task_ready,             /* task->peer is open */
    ngx_egress_task_relaying,          /* both ends open, bytes move */
    ngx_egress_task_closed
} ngx_egress_task_state_e;


typedef enum {
    NGX_EGRESS_PATH_NUMBER = 1,        /* number id */
    NGX_EGRESS_PATH_STRING,            /* string id */
    NGX_EGRESS_PATH_JSON,              /* json value, as text */
    NGX_EGRESS_PATH_UPSTREAM           /* egress upstream: addr, sticky key */
} ngx_egress_path_kind_e;


/*
 * One value of the egress path selection, for the escaper of that name; what
 * its kind does not use is zeroed.
 */
typedef struct {
    ngx_str_t                escaper;
    ngx_egress_path_kind_e   kind;
    ngx_uint_t               number;   /* NUMBER */
    ngx_str_t                value;    /* STRING, JSON; sticky key: UPSTREAM */
    ngx_egress_addr_t        addr;     /* UPSTREAM */
} ngx_egress_path_t;


/* Stamps of ngx_current_msec; 0: did not happen. */
typedef struct {
    ngx_msec_t               start;
    ngx_msec_t               resolved;
    ngx_msec_t               connected;  /* TCP, to the peer */
    ngx_msec_t               tls;        /* last handshake on the hop done */
    ngx_msec_t               ready;      /* task->peer usable */
    ngx_msec_t               end;
} ngx_egress_times_t;


typedef void (*ngx_egress_task_pt)(ngx_egress_task_t *task);


/*
 * One request of a client for one target.  Made by a server; lives in its
 * pool (request or session) and dies with it.  "in": filled by the server
 * before ngx_egress_task_run(); "out": to be read from the callbacks on.
 */

struct ngx_egress_task_s {
    ngx_egress_task_state_e  state;      /* written by task/ only */
    ngx_egress_reason_e      reason;     /* the first one set wins */

    ngx_pool_t              *pool;       /* in */
    ngx_log_t               *log;        /* in: the client connection's */
    ngx_connection_t        *client;     /* in: for addresses and logs only */

    u_char                   id[NGX_EGRESS_TASK_ID_LEN];

    ngx_egress_addr_t        target;     /* in: host text in task->pool */
    ngx_str_t                user;       /* in: after authentication */
    ngx_array_t             *path;       /* in: of ngx_egress_path_t, or NULL;
                                            a later one of a kind wins */
    ngx_egress_escaper_t    *escaper;    /* in: the first link; then current */
    ngx_egress_escaper_t    *chain[NGX_EGRESS_MAX_CHAIN];  /* out: links */

    ngx_egress_udp_t        *udp;        /* in: datagrams, not a connection:
                                            nothing is connected, peer stays
                                            NULL; target may be empty */
    ngx_egress_tls_t        *tls;        /* in: TLS to the target, or NULL */
    ngx_str_t                tls_name;   /* in: SNI and name to verify */
    ngx_msec_t               idle_timeout;  /* in: of the relay */
    size_t                   upload_rate;   /* in: bytes/s, 0: no limit */
    size_t                   download_rate;

    /*
     * in.  connected(): task->peer is open and idle, no handler of the core
     * is left on it.  finish(): the task is over, task->reason says how;
     * called exactly once, connections of the task are closed already (the
     * client's never is: it belongs to the server).  Both may be called
     * before ngx_egress_task_run() returns.  A server that ends the task
     * itself with ngx_egress_task_close() gets no finish().
     */
    ngx_egress_task_pt       connected;
    ngx_egress_task_pt       finish;

    /*
     * in, may be NULL.  All ways to task->target have failed with
     * task->reason: NGX_OK when task->target (and tls_name) is another one
     * to try now, NGX_DECLINED when there is none.
     */
    ngx_int_t              (*another)(ngx_egress_task_t *task);
    void                    *data;       /* in: the server's own */

    ngx_egress_hop_t        *hop;        /* out: of the last link walked */
    ngx_connection_t        *peer;       /* out: NULL again once given away */
    ngx_egress_relay_t      *relay;
    ngx_egress_task_log_t   *task_log;   /* NULL: no line was due yet */

    ngx_egress_times_t       times;
    off_t                    bytes_sent;      /* to the client */
    off_t                    bytes_received;  /* from the client */

    ngx_uint_t               links;      /* out: of the chain, so far */
    ngx_str_t                would_deny; /* out: what report-only rules said */

    unsigned                 reusable:1; /* in: take from and give to the
                                            pool of idle connections */
    unsigned                 reused:1;   /* out: peer came from that pool */
    unsigned                 fresh:1;    /* task/ only */
    unsigned                 forward:1;  /* in: HTTP forward, not a tunnel */
    unsigned                 counted:1;  /* task/ only */
};


/*
 * A zeroed task with id, pool, log, client and times.start; the caller fills
 * the other "in" fields.  The pool's cleanup closes the task if nothing else
 * has.  NULL: out of memory.
 */
ngx_egress_task_t *ngx_egress_task_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_connection_t *client);

/* Walks, connects, and calls connected() or finish(). */
void ngx_egress_task_run(ngx_egress_task_t *task);

/*
 * Starts over for a retry: the peer of the earlier run must be closed or
 * given away.  fresh: do not take an idle connection again.
 */
void ngx_egress_task_again(ngx_egress_task_t *task, ngx_uint_t fresh);

/*
 * Moves bytes between task->client and task->peer until both ways are done.
 * early: bytes of the client that were read already, sent first; may be
 * empty.  The relay's own handlers are put on the peer; how the client's
 * events reach it is told in relay/ngx_egress_relay.h.
 */
ngx_int_t ngx_egress_task_relay_start(ngx_egress_task_t *task,
    ngx_str_t *early);

/*
 * Relays the datagrams of task->udp, after connected() was called.  finish()
 * may be called before it returns.
 */
void ngx_egress_task_udp_start(ngx_egress_task_t *task);

/* Sets the reason if none is set, tears down, calls finish(). */
void ngx_egress_task_finish(ngx_egress_task_t *task, ngx_uint_t reason);

/* The same without finish(); does nothing on a closed task. */
void ngx_egress_task_close(ngx_egress_task_t *task, ngx_uint_t reason);

/* The limits that count for a connected task, bytes/s; 0: none. */
void ngx_egress_task_rates(ngx_egress_task_t *task, size_t *upload,
    size_t *download);

/* Brings bytes_sent and bytes_received of a running relay up to date. */
void ngx_egress_task_count(ngx_egress_task_t *task);

/* upward, from connect/: the hop is open, or reason says why it is not. */
void ngx_egress_task_hop_done(ngx_egress_hop_t *hop, ngx_uint_t reason);

/* upward, from relay/: it is over. */
void ngx_egress_task_relay_done(ngx_egress_relay_t *relay, ngx_uint_t reason);

/*
 * upward, from relay/: the target of the first datagram is known.  Where the
 * chain has routes it is walked again; then ngx_egress_udp_resume().
 */
void ngx_egress_task_udp_first(ngx_egress_udp_t *udp,
    ngx_egress_addr_t *target);

/* The value for this escaper of that kind, or NULL. */
ngx_egress_path_t *ngx_egress_task_path(ngx_egress_task_t *task,
    ngx_egress_escaper_t *escaper, ngx_egress_path_kind_e kind);

/* 1 is the first, 0 the last, others wrap; n must not be 0. */
ngx_uint_t ngx_egress_path_index(ngx_uint_t number, ngx_uint_t n);


/* ----------------------------------------------------------- variables */

/* NGX_DECLINED: not known (yet), the variable is "not found". */
typedef ngx_int_t (*ngx_egress_variable_pt)(ngx_egress_task_t *task,
    ngx_pool_t *pool, ngx_str_t *value);

typedef struct {
    ngx_str_t                name;       /* with "egress_" */
    ngx_egress_variable_pt   get;
} ngx_egress_variable_t;

/* Terminated by an empty name; the servers publish them as $egress_*. */
extern ngx_egress_variable_t  ngx_egress_variables[];


/* ------------------------------------------------------------- connect */

typedef enum {
    NGX_EGRESS_IPV4_FIRST = 0,
    NGX_EGRESS_IPV6_FIRST,
    NGX_EGRESS_IPV4_ONLY,
    NGX_EGRESS_IPV6_ONLY
} ngx_egress_family_e;


typedef struct {
    int                      keepalive;  /* -1: not set, 0 off, 1 on */
    int                      idle;       /* seconds, 0: the system's */
    int                      interval;
    int                      count;
} ngx_egress_tcp_keepalive_t;


typedef struct {
    ngx_flag_t               nodelay;    /* on by default */
    ngx_int_t                mss;        /* NGX_CONF_UNSET: not set; so are */
    ngx_int_t                ttl;        /* the others */
    ngx_int_t                tos;
    ngx_int_t                mark;
    ngx_str_t                congestion; /* NUL-terminated; len 0: not set */
} ngx_egress_tcp_misc_t;


/* resolution_delay and friends, RFC 8305 and g3's names */
typedef struct {
    ngx_msec_t               resolution_delay;           /* 50 */
    ngx_msec_t               second_resolution_timeout;  /* 2000 */
    ngx_uint_t               first_count;                /* 1 */
    ngx_msec_t               attempt_delay;              /* 250 */
} ngx_egress_happy_eyeballs_t;


/*
 * How hops of one escaper are connected; filled by the commands of
 * ngx_egress_connect_commands[] (connect/ngx_egress_connect_conf.c).
 */

typedef struct {
    ngx_egress_resolver_t       *resolver;    /* NULL: literals only */
    ngx_egress_family_e          family;
    ngx_flag_t                   pick_random; /* among addresses; else first */
    ngx_flag_t                   no_ipv4;
    ngx_flag_t                   no_ipv6;

    ngx_uint_t                   max_retry;   /* rounds beyond the first */
    ngx_msec_t                   each_timeout;
    ngx_msec_t                   negotiation_timeout;  /* TLS, next proxy */

    ngx_egress_happy_eyeballs_t  happy;
    ngx_egress_tcp_keepalive_t   keepalive;
    ngx_egress_tcp_misc_t        misc;
    ngx_str_t                    interface;   /* NUL-terminated */

    size_t                       upload_rate;   /* tcp_sock_speed_limit, */
    size_t                       download_rate; /* bytes/s, 0: none */

    ngx_egress_filter_t         *filter;      /* NULL: the default filter */
    ngx_egress_redirection_t    *redirection; /* or NULL */
} ngx_egress_connect_conf_t;

extern ngx_command_t  ngx_egress_connect_commands[];
extern ngx_command_t  ngx_egress_target_commands[];   /* task/: the filter and
                                                         the redirection */

void ngx_egress_connect_conf_init(ngx_egress_connect_conf_t *conf);
char *ngx_egress_connect_conf_merge(ngx_conf_t *cf,
    ngx_egress_connect_conf_t *conf, ngx_egress_object_t *object);


/* udp_sock_speed_limit: bytes and datagrams a second, 0: any */
typedef struct {
    size_t                       upload;
    size_t                       download;
    ngx_uint_t                   upload_packets;
    ngx_uint_t                   download_packets;
} ngx_egress_udp_limit_t;


/*
 * One open connection to be, and then the connection.  Filled by an escaper's
 * select() in task->pool (ngx_egress_hop_create()); the connector works on it
 * and answers once through done().
 */

typedef void (*ngx_egress_hop_pt)(ngx_egress_hop_t *hop, ngx_uint_t reason);

struct ngx_egress_hop_s {
    ngx_egress_task_t           *task;
    ngx_egress_escaper_t        *escaper;     /* the terminal one */
    ngx_egress_connect_conf_t   *conf;

    ngx_egress_addr_t            addr;        /* whom to connect to: the
                                                 target or the next proxy */
    ngx_str_t                    sticky_key;  /* picks among resolved ones */

    struct sockaddr             *bind4;       /* or NULL; port is 0 */
    struct sockaddr             *bind6;       /* if only one is set, only its
                                                 family is used */

    ngx_uint_t                   proxy_protocol;  /* 0, 1, 2 */

    /*
     * A complete PROXY header made by the escaper (TLVs), sent instead of the
     * one that proxy_protocol asks for.
     */
    ngx_str_t                    header;

    ngx_egress_udp_limit_t      *udp_limit;   /* or NULL */

    ngx_egress_tls_t            *tls;         /* TLS to addr, or NULL */
    ngx_str_t                    tls_name;
    unsigned                     negotiate:1; /* then escaper->type's verb */
    unsigned                     no_target_tls:1;  /* task->tls is left to
                                                      the next proxy */
    unsigned                     no_filter:1; /* addr comes from the
                                                 configuration: trusted */
    unsigned                     no_reuse:1;  /* never pooled */

    /* out */
    ngx_connection_t            *connection;
    ngx_str_t                    peer;        /* "addr:port" connected to */
    ngx_str_t                    local;       /* "addr:port" connected from;
                                                 both in task->pool */
    ngx_egress_connector_t      *connector;   /* connect/ only */
    ngx_egress_proxy_choice_t   *choice;      /* of the next proxies; only
                                                 ngx_egress_proxy_addr.c */

    ngx_egress_hop_pt            done;
};


/* Zeroed, with task, escaper, conf, done, and addr = task->target. */
ngx_egress_hop_t *ngx_egress_hop_create(ngx_egress_task_t *task);

/*
 * Opens the hop: resolve, judge, race, PROXY header, TLS, negotiate, TLS to
 * the target.  Answers through hop->done(), perhaps before it returns.
 */
void ngx_egress_connect(ngx_egress_hop_t *hop);

/* Stops the work, closes what is open; done() is not called.  May be called
 * at any time, also twice. */
void ngx_egress_connect_abort(ngx_egress_hop_t *hop);

/*
 * upward, from relay/: a UDP socket with the hop's options, bound to its
 * address of that family; NULL: *reason.  The caller closes it.
 */
ngx_connection_t *ngx_egress_udp_socket(ngx_egress_hop_t *hop,
    ngx_uint_t family, ngx_egress_reason_e *reason);

/* An escaper whose negotiate() said NGX_AGAIN is through; 0: well. */
void ngx_egress_hop_negotiated(ngx_egress_hop_t *hop, ngx_uint_t reason);


/* ------------------------------------------------------------- escaper */

#define NGX_EGRESS_TAKES_CONNECT   0x01  /* the connect commands */
#define NGX_EGRESS_TAKES_TARGET    0x02  /* egress_network_filter and
                                            resolve_redirection */
#define NGX_EGRESS_TAKES_PATH      0x04  /* enable_path_selection */
#define NGX_EGRESS_TAKES_PROXY     0x08  /* next proxies, see
                                            escape/ngx_egress_proxy_addr.h */

/*
 * Its hops can carry datagrams straight to their targets: from bind4 and
 * bind6, names asked of conf->resolver, addresses judged, udp_limit kept.  UDP
 * ends with UNSUPPORTED at types without it.
 */
#define NGX_EGRESS_OFFERS_UDP      0x10


/*
 * The main extension point.  NULL: not needed.  No escaper opens sockets, sets
 * timers on them, or finishes the task.
 *
 * create     before its block is read: defaults, other than zero, of e->conf
 *            and of what the common directives fill.
 * init       configuration time, after the whole file has been read; checks
 *            the block.  Errors through ngx_egress_conf_error().
 * select     NGX_OK: task->hop is filled; NGX_DECLINED: task->escaper is the
 *            next link; NGX_AGAIN: ngx_egress_task_select_done() will be
 *            called; NGX_ERROR: task->reason is set.
 * negotiate  speaks first on hop->connection; NGX_OK, NGX_AGAIN (calls
 *            ngx_egress_hop_negotiated() later), NGX_ERROR (reason set).
 * failed     what this link "e" of the chain led to has failed with
 *            task->reason; NGX_DECLINED: task->escaper is another way to try
 *            after e; NGX_ERROR: it knows none.
 */

typedef struct {
    ngx_str_t          name;
    ngx_uint_t         flags;
    size_t             conf_size;      /* zeroed e->conf, 0: none */
    ngx_command_t     *commands;       /* on e->conf; may be NULL */

    char            *(*create)(ngx_conf_t *cf, ngx_egress_escaper_t *e);
    char            *(*init)(ngx_conf_t *cf, ngx_egress_escaper_t *e);
    ngx_int_t        (*select)(ngx_egress_task_t *task);
    ngx_int_t        (*negotiate)(ngx_egress_hop_t *hop);
    ngx_int_t        (*failed)(ngx_egress_task_t *task,
                               ngx_egress_escaper_t *e);
} ngx_egress_escaper_type_t;


struct ngx_egress_escaper_s {
    ngx_egress_object_t          object;  /* name, where declared */
    ngx_egress_escaper_type_t   *type;    /* NULL: not declared (yet) */
    void                        *conf;    /* the type's own */
    ngx_egress_connect_conf_t    connect;
    ngx_egress_proxy_addr_t     *proxy;   /* NULL: not TAKES_PROXY */
    ngx_flag_t                   path_selection;
    ngx_array_t                  next;    /* of ngx_egress_escaper_t *, pushed
                                             by the types for the loop check */
    ngx_uint_t                   visit;   /* of that check */
};


/*
 * Finds or makes the object of that name: a stable address, filled when its
 * block is read.  NULL: out of memory.  Callable from any directive.
 */
ngx_egress_escaper_t *ngx_egress_escaper_ref(ngx_conf_t *cf, ngx_str_t *name);

/* At run time, for names from variables; NULL: there is none. */
ngx_egress_escaper_t *ngx_egress_escaper_find(ngx_cycle_t *cycle,
    ngx_str_t *name);

/*
 * Adds a type of another module; called from a preconfiguration or a
 * create_conf that runs after ngx_egress_module's.
 */
ngx_int_t ngx_egress_escaper_register(ngx_cycle_t *cycle,
    ngx_egress_escaper_type_t *type);

/* select() said NGX_AGAIN and now has the answer (its return code). */
void ngx_egress_task_select_done(ngx_egress_task_t *task, ngx_int_t rc);


extern ngx_egress_escaper_type_t  ngx_egress_direct_fixed;
extern ngx_egress_escaper_type_t  ngx_egress_dummy_deny;


/* ------------------------------------------------------------ resolver */

/*
 * One question: the addresses of one family of one name.  Filled and owned by
 * the asker, must stay until handler() was called or it was cancelled.
 */

typedef void (*ngx_egress_resolve_pt)(ngx_egress_resolve_t *rs);

struct ngx_egress_resolve_s {
    ngx_egress_resolver_t    *resolver;   /* in */
    ngx_str_t                 name;       /* in: normalized, a name */
    ngx_uint_t                family;     /* in: AF_INET or AF_INET6 */
    ngx_log_t                *log;        /* in */
    ngx_egress_resolve_pt     handler;    /* in */
    void                     *data;       /* in */

    /*
     * out, valid only until handler() returns or, after NGX_OK, until the
     * caller gives control back to the event loop: copy them.
     */
    ngx_egress_reason_e       reason;     /* NONE, or one of DNS_* */
    ngx_uint_t                naddrs;
    ngx_egress_ip_t          *addrs;
    time_t                    ttl;        /* s, the answer is good so long */

    /* of the resolver */
    ngx_queue_t               queue;
    void                     *query;
};

/*
 * NGX_OK: answered at once (reason may say it failed), handler is not called;
 * NGX_AGAIN: handler will be called, never from inside this call.
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_egress_resolve(ngx_egress_resolve_t *rs);
void ngx_egress_resolve_cancel(ngx_egress_resolve_t *rs);

ngx_egress_resolver_t *ngx_egress_resolver_ref(ngx_conf_t *cf,
    ngx_str_t *name);


/* -------------------------------------------------------------- policy */

/*
 * upward, from connect/: may this very sockaddr be connected to (or sent to)?
 * NGX_OK, or NGX_DECLINED with *reason set and the rule logged.  Judges the
 * address as it is and every IPv4 address embedded in it; refuses our own
 * listening sockets whatever the filter says.
 */
ngx_int_t ngx_egress_judge(ngx_egress_hop_t *hop, struct sockaddr *sa,
    socklen_t socklen, ngx_egress_reason_e *reason);

/* The addresses that stand for the resolver's answer; of the configuration. */
typedef struct {
    ngx_array_t          ipv4;         /* of ngx_egress_ip_t */
    ngx_array_t          ipv6;
} ngx_egress_redirected_t;

/*
 * upward: resolve_redirection.  NGX_OK: *addr is another name; NGX_DONE: the
 * name stays, *to are its addresses; NGX_DECLINED; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_egress_redirect(ngx_egress_redirection_t *rd, ngx_pool_t *pool,
    ngx_egress_addr_t *addr, ngx_egress_redirected_t **to);

/* upward: as ngx_egress_resolve(), but "to" is the answer if it is not NULL. */
ngx_int_t ngx_egress_resolve_to(ngx_egress_resolve_t *rs,
    ngx_egress_redirected_t *to);


extern ngx_module_t  ngx_egress_module;


#endif /* _NGX_EGRESS_H_INCLUDED_ */
