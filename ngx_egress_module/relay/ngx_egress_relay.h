/*
 * Copyright (C) ngx_egress authors
 *
 * The two-sided byte pump.  Two symmetric sides with a pointer to each other,
 * one function that pumps from a side to its peer.
 *
 * Copying uses one buffer per worker; a side owns a private buffer only for
 * bytes its socket refused, so an idle tunnel owns none.  A flow found to be
 * bulk takes a pipe from a bounded per-worker pool and moves on by splice(2);
 * the pipe goes back when it is empty and the flow pauses.  TLS sides copy.
 *
 * Half-close is passed on (close_notify on TLS).  Bytes that came before an
 * end are sent before it is told; a reset ends the relay at once.  An idle
 * timer always runs, so a quitting worker waits for its tunnels.
 */

#ifndef _NGX_EGRESS_RELAY_H_INCLUDED_
#define _NGX_EGRESS_RELAY_H_INCLUDED_


#include "../ngx_egress.h"
#include "ngx_egress_limit.h"


typedef struct ngx_egress_relay_side_s     ngx_egress_relay_side_t;
typedef struct ngx_egress_relay_pipe_s     ngx_egress_relay_pipe_t;
typedef struct ngx_egress_relay_refused_s  ngx_egress_relay_refused_t;

typedef void (*ngx_egress_relay_pt)(ngx_egress_relay_t *relay,
    ngx_uint_t reason);


/*
 * "in" is filled before ngx_egress_relay_start(), "out" may be read at any
 * time, also after ngx_egress_relay_close(); the rest belongs to relay/.
 */

struct ngx_egress_relay_side_s {
    ngx_connection_t            *connection;  /* in */
    ngx_egress_limit_t           limit;       /* in: its rate, read from
                                                 here */

    off_t                        received;    /* out: from this side's socket,
                                                 early bytes included */
    off_t                        sent;        /* out: to this side's socket */

    ngx_egress_relay_side_t     *peer;
    ngx_egress_relay_t          *relay;

    /* on the way to this side's socket; never both */
    ngx_egress_relay_refused_t  *refused;     /* malloc'ed; NULL: none */
    ngx_egress_relay_pipe_t     *pipe;        /* NULL: none taken */

    size_t                       window;      /* how much to read at once */
    unsigned                     bulk:2;      /* large reads in a row */

    unsigned                     eof:1;       /* no more from this side */
    unsigned                     shut:1;      /* and the peer knows */
};


/* The relay is zeroed, but for what is "in". */

struct ngx_egress_relay_s {
    ngx_egress_relay_side_t      side[2];     /* the client, the target */
    ngx_pool_t                  *pool;        /* in */
    ngx_log_t                   *log;         /* in */
    ngx_msec_t                   idle_timeout;  /* in; 0: none */
    ngx_egress_relay_pt          handler;     /* in: it is over, and closed;
                                                 may free the relay */
    void                        *data;        /* in */

    ngx_event_t                  idle;
    ngx_msec_t                   active;      /* last time bytes moved */
    ngx_uint_t                   reason;      /* of the first failure */
    unsigned                     splice:1;    /* both sides can */
    unsigned                     started:1;
    unsigned                     closed:1;
};

#define NGX_EGRESS_RELAY_CLIENT    0
#define NGX_EGRESS_RELAY_UPSTREAM  1


/* Directives of the egress block. */

typedef struct {
    ngx_uint_t                   pipes;       /* per worker; 0: never splice;
                                                 NGX_CONF_UNSET_UINT: what the
                                                 system grants */
    size_t                       buffer_size;
} ngx_egress_relay_conf_t;

extern ngx_command_t  ngx_egress_relay_commands[];

void ngx_egress_relay_conf_init(ngx_egress_relay_conf_t *conf);
void ngx_egress_relay_conf_merge(ngx_egress_relay_conf_t *conf);


/*
 * Owns the upstream's connection->data and the handlers of its events from
 * now on; those of the client belong to the server, which calls
 * ngx_egress_relay_event() for each read or write event (http: from
 * r->read_event_handler and r->write_event_handler).  early: bytes the client
 * sent already, sent first; may be NULL.  The first pump runs at once, since
 * edges may be consumed: handler() may be called before it returns.
 * NGX_ERROR: out of memory, handler() is not called.
 */
ngx_int_t ngx_egress_relay_start(ngx_egress_relay_t *relay, ngx_str_t *early);

/*
 * An event of the client's connection.  The relay may be gone afterwards.
 * Sees connection->close (worker_shutdown_timeout) by itself.
 */
void ngx_egress_relay_event(ngx_egress_relay_t *relay, ngx_event_t *ev);

/*
 * Stops timers, returns pipes and buffers; handler() is not called, no
 * connection is closed.  May be called twice, also on a relay that was never
 * started.
 */
void ngx_egress_relay_close(ngx_egress_relay_t *relay);

/* Per worker: the copy buffer and the budget of pipes. */
ngx_int_t ngx_egress_relay_init_process(ngx_cycle_t *cycle,
    ngx_egress_relay_conf_t *conf);
void ngx_egress_relay_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_EGRESS_RELAY_H_INCLUDED_ */
