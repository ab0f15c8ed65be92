/*
 * Copyright (C) ngx_egress authors
 *
 * The relay of datagrams: one association between a client, who says in a
 * SOCKS5 header (RFC 1928, section 7) where each datagram goes, and its peers.
 *
 *     ngx_egress_udp.c          the association, and the way to its client
 *     ngx_egress_udp_upload.c   the way from its client
 *     ngx_egress_udp_peer.c     targets: judged once, and remembered
 *     ngx_egress_udp_name.c     targets that are names
 *     ngx_egress_udp_batch.c    recvmmsg(2) and sendmmsg(2)
 *     ngx_egress_udp_limit.c    speed limits
 *
 * Only the owner's address may send, and, once it has, only its port.  Each
 * target is judged as it goes to sendmsg(2).  Only addresses the client has
 * sent to may answer.  What cannot be passed on is dropped.
 */

#ifndef _NGX_EGRESS_UDP_H_INCLUDED_
#define _NGX_EGRESS_UDP_H_INCLUDED_


#include "../ngx_egress.h"


#define NGX_EGRESS_UDP_BUCKETS   32


/* One direction: what may still be read now, in thousandths. */
typedef struct {
    size_t                     bytes;      /* a second; 0: any */
    ngx_uint_t                 packets;    /* a second; 0: any */
    int64_t                    byte_credit;
    int64_t                    packet_credit;
    ngx_msec_t                 at;         /* credit counted until then */
    ngx_event_t                delay;      /* read on later */
} ngx_egress_udp_meter_t;


/* Zeroed, but for what is "in"; the rest belongs to relay/. */

struct ngx_egress_udp_s {
    ngx_egress_task_t         *task;       /* in: pool, log, hop, idle_timeout;
                                              its bytes_* are counted here */
    ngx_connection_t          *client;     /* in: the bound socket the client
                                              sends to; closed with us */
    ngx_sockaddr_t             owner;      /* in: the client; port: 0 until it
                                              is seen */
    socklen_t                  owner_len;
    ngx_msec_t                 initial_timeout;  /* in: first datagram */
    ngx_egress_udp_limit_t     limit;      /* in: the server's */
    size_t                     receive_buffer;  /* in: of sockets towards */
    size_t                     send_buffer;     /* peers; 0: the system's */

    ngx_connection_t          *upstream[2];      /* IPv4, IPv6; or NULL */
    ngx_egress_udp_meter_t     upload;
    ngx_egress_udp_meter_t     download;
    ngx_event_t                timer;      /* initial, then idle */
    ngx_msec_t                 active;     /* last time a datagram passed */

    ngx_queue_t                peers;      /* the last used one is first */
    ngx_queue_t                names[NGX_EGRESS_UDP_BUCKETS];
    ngx_queue_t                addrs[NGX_EGRESS_UDP_BUCKETS];
    ngx_uint_t                 npeers;
    ngx_uint_t                 nheld;      /* datagrams that wait for a name */

    unsigned                   single:1;   /* in: one peer, that of the first
                                              datagram */
    unsigned                   seen:1;     /* the first datagram came */
    unsigned                   held:1;     /* the task looks for its way */
    unsigned                   started:1;
    unsigned                   closed:1;
    unsigned                   broken:2;   /* a bit a family: no socket */
};


/*
 * task->hop tells from where datagrams leave, how names are resolved and what
 * is allowed.  Ends through ngx_egress_task_finish(task), perhaps before it
 * returns.
 */
void ngx_egress_udp_start(ngx_egress_udp_t *udp);

/*
 * The first datagram is there, ngx_egress_task_udp_first() was told its
 * target, and task->hop is the way for it.
 */
void ngx_egress_udp_resume(ngx_egress_udp_t *udp);

/* Closes all sockets; may be called twice, also on what was never started. */
void ngx_egress_udp_close(ngx_egress_udp_t *udp);


/*
 * The arguments of the current directive: a rate for both directions, or
 * upload=, download= (bytes), upload_packets=, download_packets=.  Sets what
 * is named; a phrase on an error.
 */
char *ngx_egress_udp_limit_conf(ngx_conf_t *cf, ngx_egress_udp_limit_t *limit);

void ngx_egress_udp_limit_conf_init(ngx_egress_udp_limit_t *limit);
void ngx_egress_udp_limit_conf_merge(ngx_egress_udp_limit_t *conf,
    ngx_egress_udp_limit_t *prev);

/* SO_RCVBUF and SO_SNDBUF; 0: the system's */
void ngx_egress_udp_set_buffers(ngx_socket_t s, size_t receive, size_t send,
    ngx_log_t *log);

void ngx_egress_udp_exit_process(void);


#endif /* _NGX_EGRESS_UDP_H_INCLUDED_ */
