/*
 * Copyright (C) ngx_egress authors
 *
 * Type "c_ares", inside: ngx_egress_c_ares_conf.c has the directives,
 * ngx_egress_c_ares.c asks, ngx_egress_c_ares_channel.c makes channels of the
 * library and moves them in the event loop.
 *
 * A worker has one current channel.  It is replaced after repeated timeouts
 * and refusals (a library that lost its sockets recovers only so), and after
 * a number of questions: the next one has other source ports, which is what
 * a forger has to guess, and reads /etc/resolv.conf anew.  A replaced channel
 * lives until its last question is answered.
 */

#ifndef _NGX_EGRESS_C_ARES_H_INCLUDED_
#define _NGX_EGRESS_C_ARES_H_INCLUDED_


#include <ngx_config.h>
#include <ares.h>

#include "ngx_egress_resolver.h"


typedef struct {
    ngx_array_t                servers;       /* of ngx_str_t, "addr:port" */
    ngx_str_t                  csv;           /* the same, for the library */
    ngx_flag_t                 hosts;
    ngx_msec_t                 each_timeout;
    ngx_int_t                  each_tries;
    ngx_msec_t                 max_timeout;   /* 0: no limit */
    ngx_flag_t                 round_robin;
    size_t                     send_buffer;   /* 0: the system's */
    size_t                     recv_buffer;
    in_addr_t                  bind4;         /* network order */
    u_char                     bind6[16];
    unsigned                   has_bind4:1;
    unsigned                   has_bind6:1;
} ngx_egress_c_ares_conf_t;


typedef struct {
    ngx_egress_resolver_t     *resolver;
    ngx_queue_t                channels;      /* the current one is first */
} ngx_egress_c_ares_t;


typedef struct {
    ngx_egress_c_ares_t       *owner;
    ngx_queue_t                queue;
    ares_channel               ares;
    ngx_queue_t                sockets;       /* of ngx_connection_t.queue */
    ngx_event_t                timer;         /* the library's next one */
    ngx_msec_t                 made;
    ngx_uint_t                 asked;         /* questions, ever */
    ngx_uint_t                 awaited;       /* whose answer is waited for */
    ngx_uint_t                 failures;      /* in a row */
    unsigned                   retired:1;     /* gets no new questions */
    unsigned                   closing:1;     /* callbacks mean nothing */
} ngx_egress_channel_t;


extern ngx_command_t  ngx_egress_c_ares_commands[];

char *ngx_egress_c_ares_create(ngx_conf_t *cf, ngx_egress_resolver_t *r);
char *ngx_egress_c_ares_init(ngx_conf_t *cf, ngx_egress_resolver_t *r);


/*
 * The channel to ask, a new one where it is time for it; NULL: the library
 * cannot make one.  Not from a callback of the library.
 */
ngx_egress_channel_t *ngx_egress_channel_get(ngx_egress_c_ares_t *ca);

/*
 * After anything was done with the library: sets the timer anew, destroys a
 * retired channel that nobody needs.  Not from a callback of the library.
 */
void ngx_egress_channel_settle(ngx_egress_channel_t *ch);

void ngx_egress_channel_destroy(ngx_egress_channel_t *ch);


#endif /* _NGX_EGRESS_C_ARES_H_INCLUDED_ */
