/*
 * Copyright (C) ngx_egress authors
 *
 * What the files of the datagram relay share, nobody else includes it.
 */

#ifndef _NGX_EGRESS_UDP_PEER_H_INCLUDED_
#define _NGX_EGRESS_UDP_PEER_H_INCLUDED_


#include "ngx_egress_udp.h"
#include "../proto/ngx_egress_socks5.h"


#define NGX_EGRESS_UDP_BATCH     16      /* datagrams a system call */
#define NGX_EGRESS_UDP_TURNS     8       /* receptions of one wake-up */
#define NGX_EGRESS_UDP_PEERS     512     /* remembered in an association */
#define NGX_EGRESS_UDP_HELD      NGX_EGRESS_UDP_BATCH

/* that of an address, which is what a peer has */
#define NGX_EGRESS_UDP_HEAD_LEN  (3 + 1 + 16 + 2)


/* ---------------------------------------------------------------- peers */

typedef struct ngx_egress_udp_ask_s  ngx_egress_udp_ask_t;

typedef enum {
    ngx_egress_udp_peer_asking = 0,    /* its name is being resolved */
    ngx_egress_udp_peer_allowed,       /* sockaddr is valid */
    ngx_egress_udp_peer_denied         /* or its name cannot be resolved */
} ngx_egress_udp_peer_e;


typedef struct {
    ngx_queue_t                lru;
    ngx_queue_t                name;       /* in udp->names, if it is one */
    ngx_queue_t                ip;         /* in udp->addrs; once it has an
                                              address */
    ngx_egress_udp_t          *udp;
    ngx_egress_udp_peer_e      state;
    ngx_egress_udp_ask_t      *ask;        /* while asking */
    ngx_msec_t                 expire;     /* of a name */
    ngx_egress_addr_t          addr;       /* as the client said; the text is
                                              behind this structure */
    socklen_t                  socklen;
    ngx_sockaddr_t             sockaddr;
    unsigned                   named:1;
    unsigned                   linked:1;   /* by ip */
} ngx_egress_udp_peer_t;


/* Finds or makes it; NULL: out of memory, or not the one of "single". */
ngx_egress_udp_peer_t *ngx_egress_udp_peer_get(ngx_egress_udp_t *udp,
    ngx_egress_addr_t *addr);

/* Has the client sent to that address, whatever the port? */
ngx_uint_t ngx_egress_udp_peer_known(ngx_egress_udp_t *udp,
    struct sockaddr *sa);

/*
 * Gives it that literal address, and a verdict in state.  A denied one stays
 * linked when it is what the client says, so that it is judged once.
 */
void ngx_egress_udp_peer_try(ngx_egress_udp_peer_t *peer,
    ngx_egress_addr_t *addr);

/* Does the hop use that family? */
ngx_uint_t ngx_egress_udp_usable(ngx_egress_hop_t *hop, ngx_uint_t family);

void ngx_egress_udp_peers_init(ngx_egress_udp_t *udp);
void ngx_egress_udp_peers_free(ngx_egress_udp_t *udp);


/* ---------------------------------------------------------------- names */

/* Has the name of the peer resolved, anew if it was before. */
void ngx_egress_udp_ask(ngx_egress_udp_peer_t *peer);

/* Gives up, if it is being resolved. */
void ngx_egress_udp_ask_free(ngx_egress_udp_peer_t *peer);

/* Keeps a datagram until the name is resolved, or drops it. */
void ngx_egress_udp_peer_hold(ngx_egress_udp_peer_t *peer, u_char *data,
    size_t len);


/* ----------------------------------------------------------- association */

/* Reads what the client has sent, as long as there is something. */
void ngx_egress_udp_upload(ngx_egress_udp_t *udp);

/* Datagrams of a peer may come. */
void ngx_egress_udp_upstream_handler(ngx_event_t *rev);
void ngx_egress_udp_write_handler(ngx_event_t *wev);

/*
 * Puts a datagram into the batch of the peer's family, opening its socket if
 * it is the first; ngx_egress_udp_send_all() sends them.
 */
void ngx_egress_udp_put(ngx_egress_udp_peer_t *peer, u_char *data,
    size_t len);
void ngx_egress_udp_send_all(ngx_egress_udp_t *udp);


/* --------------------------------------------------------------- batches */

/* One that was received; valid until the next call. */
typedef struct {
    u_char                    *data;
    size_t                     len;
    struct sockaddr           *from;
    socklen_t                  fromlen;
} ngx_egress_udp_datagram_t;

typedef struct ngx_egress_udp_batch_s  ngx_egress_udp_batch_t;

/*
 * At most max datagrams, at most NGX_EGRESS_UDP_BATCH; *d are they.  Returns
 * their number, NGX_AGAIN or NGX_ERROR.  peek: one, which stays in the socket.
 */
ngx_int_t ngx_egress_udp_receive(ngx_connection_t *c, ngx_uint_t max,
    ngx_uint_t peek, ngx_egress_udp_datagram_t **d);

/* Towards the client, IPv4 peers, IPv6 peers: empty between events. */
#define NGX_EGRESS_UDP_TO_CLIENT  2

ngx_egress_udp_batch_t *ngx_egress_udp_batch(ngx_uint_t n);

/*
 * Adds a datagram; data and sa must stay until it is sent.  sa NULL: the
 * socket is connected.  from not NULL: the SOCKS5 header says it.  There is
 * room for what one ngx_egress_udp_receive() gives.
 */
void ngx_egress_udp_batch_add(ngx_egress_udp_batch_t *b, u_char *data,
    size_t len, struct sockaddr *sa, socklen_t socklen,
    ngx_egress_addr_t *from);

/*
 * Sends and empties it.  Returns how many were sent, *bytes: without headers.
 */
ngx_uint_t ngx_egress_udp_batch_send(ngx_egress_udp_batch_t *b,
    ngx_connection_t *c, size_t *bytes);


/* ---------------------------------------------------------------- limits */

void ngx_egress_udp_meter_init(ngx_egress_udp_meter_t *m, size_t bytes,
    ngx_uint_t packets);

/* Datagrams that may be read now, at most max; 0: m->delay will fire. */
ngx_uint_t ngx_egress_udp_meter(ngx_egress_udp_meter_t *m, ngx_uint_t max);

/* They were passed on; what was dropped costs nothing. */
void ngx_egress_udp_meter_used(ngx_egress_udp_meter_t *m, ngx_uint_t packets,
    size_t bytes);


#endif /* _NGX_EGRESS_UDP_PEER_H_INCLUDED_ */
