/*
 * Copyright (C) ngx_egress authors
 *
 * Idle connections of a worker to targets and next proxies, kept for the next
 * request that leaves in exactly the same way.  The key is everything that
 * identifies the egress: escaper, hop address, bind addresses, user, path
 * values, target, TLS settings and name; hence no request can ride on a
 * connection that was made for somebody else.
 */

#ifndef _NGX_EGRESS_KEEPALIVE_H_INCLUDED_
#define _NGX_EGRESS_KEEPALIVE_H_INCLUDED_


#include "../ngx_egress.h"


/*
 * An idle connection for this hop (task->hop filled, not connected), probed
 * to be alive and quiet, or NULL.  Its handlers and log are the caller's
 * again, hop->peer and hop->local are filled; it has a pool.
 */
ngx_connection_t *ngx_egress_keepalive_get(ngx_egress_hop_t *hop);

/*
 * Takes c over: keeps it for "timeout" ms, or closes it (hop->no_reuse, not
 * quiet, too many).  limit: connections kept by a worker, 0: none; the least
 * recently used goes first.
 */
void ngx_egress_keepalive_put(ngx_egress_hop_t *hop, ngx_connection_t *c,
    ngx_msec_t timeout, ngx_uint_t limit);

/* Closes c with its TLS session and its pool; also for non-pooled ones. */
void ngx_egress_close_connection(ngx_connection_t *c);

ngx_int_t ngx_egress_keepalive_init_process(ngx_cycle_t *cycle);
void ngx_egress_keepalive_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_EGRESS_KEEPALIVE_H_INCLUDED_ */
