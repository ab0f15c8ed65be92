
/*
 * Copyright (C) ngx_egress authors
 *
 * What the files of the connector share; nobody outside connect/ includes it.
 *
 * A connector works for one hop.  First the race (ngx_egress_race.c): the
 * questions to the resolver, then one attempt per address, several at once as
 * RFC 8305 says, until one is connected.  Then the stages
 * (ngx_egress_connect.c), each only where asked: PROXY header, TLS to the
 * peer, negotiation with the next proxy, TLS to the target.
 */

#ifndef _NGX_EGRESS_CONNECTOR_H_INCLUDED_
#define _NGX_EGRESS_CONNECTOR_H_INCLUDED_


#include "../ngx_egress.h"


typedef enum {
    ngx_egress_stage_race = 0,
    ngx_egress_stage_header,           /* sending a PROXY header */
    ngx_egress_stage_peer_tls,
    ngx_egress_stage_negotiate,        /* the escaper speaks */
    ngx_egress_stage_target_tls,
    ngx_egress_stage_done              /* done() was called, or aborted */
} ngx_egress_stage_e;


/* The addresses of one family, in the order in which they are tried. */
typedef struct {
    ngx_egress_resolve_t      question;
    ngx_uint_t                family;      /* AF_INET or AF_INET6 */
    ngx_egress_ip_t          *addrs;       /* in task->pool */
    ngx_uint_t                naddrs;
    ngx_uint_t                next;        /* the first that was not tried */
    ngx_uint_t                tries;       /* attempts that are left */
    ngx_egress_reason_e       reason;      /* why there are no addresses */
    unsigned                  pending:1;   /* asked, not answered */
} ngx_egress_candidates_t;


/* One connect(2). */
typedef struct {
    ngx_queue_t               queue;       /* connector->attempts */
    ngx_egress_connector_t   *connector;
    ngx_connection_t         *connection;
    socklen_t                 socklen;
    ngx_sockaddr_t            sockaddr;    /* judged and connected to */
    size_t                    len;
    u_char                    text[NGX_SOCKADDR_STRLEN];
} ngx_egress_attempt_t;


struct ngx_egress_connector_s {
    ngx_egress_hop_t         *hop;
    void                     *unused;
    ngx_log_t                *log;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                 ident;

    ngx_event_t               timer;       /* pace of the race, then the
                                              deadline of the stages */
    ngx_egress_stage_e        stage;

    ngx_egress_addr_t         addr;        /* hop->addr, redirected */
    ngx_egress_redirected_t  *redirected;  /* its addresses, or NULL: ask */
    ngx_egress_candidates_t   family[2];   /* the preferred one first */
    ngx_uint_t                nfamilies;
    ngx_queue_t               attempts;    /* under way */
    ngx_uint_t                tried;       /* attempts made */

    ngx_egress_reason_e       failure;     /* of the last attempt */
    ngx_egress_reason_e       denied;      /* of the last address judged so */

    ngx_str_t                 header;      /* the rest to be sent */

    unsigned                  due:1;       /* the next attempt may start */
    unsigned                  waived:1;    /* the preferred family is late */
    unsigned                  turn:1;      /* the family to try next */
};


/* ngx_egress_race.c */

void ngx_egress_race_start(ngx_egress_connector_t *cn);

/* Cancels questions, attempts and the timer; may be called twice. */
void ngx_egress_race_stop(ngx_egress_connector_t *cn);


/* ngx_egress_connect.c: the race is over.  cn must not be touched after. */

void ngx_egress_connector_won(ngx_egress_connector_t *cn,
    ngx_egress_attempt_t *at);
void ngx_egress_connector_done(ngx_egress_connector_t *cn, ngx_uint_t reason);


/*
 * ngx_egress_candidates.c: copies the addresses and puts them in the order of
 * the hop: sticky, random or as they came.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_egress_candidates_set(ngx_egress_hop_t *hop,
    ngx_egress_candidates_t *cd, ngx_egress_ip_t *addrs, ngx_uint_t naddrs);


/*
 * ngx_egress_socket.c: a non-blocking TCP socket with the options of the hop,
 * bound to its address of that family, not connected; NULL: *reason.
 */
ngx_connection_t *ngx_egress_socket_open(ngx_egress_hop_t *hop,
    ngx_uint_t family, ngx_egress_reason_e *reason);


/*
 * ngx_egress_header.c: the PROXY header that hop->proxy_protocol asks for, in
 * task->pool.
 */
ngx_int_t ngx_egress_header_make(ngx_egress_hop_t *hop, ngx_str_t *header);


#endif /* _NGX_EGRESS_CONNECTOR_H_INCLUDED_ */
