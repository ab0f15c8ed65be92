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
 * Half-close is passed on (close_notify on TLS).  An idle timer always runs,
 * so a quitting worker waits for its tunnels.
 */

#ifndef _NGX_EGRESS_RELAY_H_INCLUDED_
#define _NGX_EGRESS_RELAY_H_INCLUDED_


#include "../ngx_egress.h"


typedef struct ngx_egress_relay_side_s  ngx_egress_relay_side_t;
typedef struct ngx_egress_relay_pipe_s  ngx_egress_relay_pipe_t;

typedef void (*ngx_egress_relay_pt)(ngx_egress_relay_t *relay,
    ngx_uint_t reason);


struct ngx_egress_relay_side_s {
    ngx_connection_t          *connection;
    ngx_egress_relay_side_t   *peer;
    ngx_egress_relay_t        *relay;

    off_t                      received;   /* from this side's socket */
    off_t                      sent;       /* to this side's socket */
    size_t                     rate;       /* bytes/s read from here; 0: any */

    /* bytes on the way to this side's socket that it refused */
    ngx_buf_t                 *pending;    /* malloc'ed; NULL: none */
    ngx_egress_relay_pipe_t   *pipe;       /* NULL: none taken */

    ngx_uint_t                 bulk;       /* large reads in a row */
    ngx_msec_t                 credit_at;  /* of the speed limit */
    off_t                      credit;
    ngx_event_t                delay;      /* speed limit: read on later */

    unsigned                   eof:1;      /* no more from this side */
    unsigned                   shut:1;     /* and told to the peer */
};


/*
 * Filled by task/ before ngx_egress_relay_start(): sides' connections and
 * rates, idle_timeout, pool, log, handler, data.
 */

struct ngx_egress_relay_s {
    ngx_egress_relay_side_t    side[2];    /* the client, the target */
    ngx_pool_t                *pool;
    ngx_log_t                 *log;
    ngx_msec_t                 idle_timeout;
    ngx_event_t                idle;
    ngx_msec_t                 active;     /* last time bytes moved */
    ngx_egress_relay_pt        handler;    /* it is over; may free the relay */
    void                      *data;
    unsigned                   closed:1;
    unsigned                   started:1;
};

#define NGX_EGRESS_RELAY_CLIENT    0
#define NGX_EGRESS_RELAY_UPSTREAM  1


/*
 * Owns the handlers of the upstream's events from now on; those of the client
 * belong to the server, which calls ngx_egress_relay_event() for each read or
 * write event (http: from r->read_event_handler and r->write_event_handler).
 * early: bytes the client sent already, sent first; may be NULL.  The first
 * pump runs at once, since edges may be consumed: handler() may be called
 * before it returns.  NGX_ERROR: out of memory, handler() is not called.
 */
ngx_int_t ngx_egress_relay_start(ngx_egress_relay_t *relay, ngx_str_t *early);

/* An event of the client's connection.  The relay may be gone afterwards. */
void ngx_egress_relay_event(ngx_egress_relay_t *relay, ngx_event_t *ev);

/*
 * Stops timers, returns pipes and buffers; handler() is not called, no
 * connection is closed.  May be called twice.
 */
void ngx_egress_relay_close(ngx_egress_relay_t *relay);

/* Per worker: the copy buffer and the budget of pipes. */
ngx_int_t ngx_egress_relay_init_process(ngx_cycle_t *cycle);
void ngx_egress_relay_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_EGRESS_RELAY_H_INCLUDED_ */
