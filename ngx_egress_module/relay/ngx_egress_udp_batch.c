
/*
 * Copyright (C) ngx_egress authors
 *
 * Datagrams by the dozen: recvmmsg(2) into buffers that all associations of a
 * worker share, sendmmsg(2) right from there.  Nothing stays in them between
 * two events.
 */


#include "ngx_egress_udp_peer.h"


#define NGX_EGRESS_UDP_SIZE  65536        /* no datagram is larger */


struct ngx_egress_udp_batch_s {
    ngx_uint_t                 n;
    struct mmsghdr             msg[NGX_EGRESS_UDP_BATCH];
    struct iovec               iov[NGX_EGRESS_UDP_BATCH][2];
    u_char                     head[NGX_EGRESS_UDP_BATCH]
                                   [NGX_EGRESS_UDP_HEAD_LEN];
};


typedef struct {
    ngx_egress_udp_datagram_t  datagram[NGX_EGRESS_UDP_BATCH];
    struct mmsghdr             msg[NGX_EGRESS_UDP_BATCH];
    struct iovec               iov[NGX_EGRESS_UDP_BATCH];
    ngx_sockaddr_t             from[NGX_EGRESS_UDP_BATCH];
    ngx_egress_udp_batch_t     out[NGX_EGRESS_UDP_TO_CLIENT + 1];
    u_char                     data[NGX_EGRESS_UDP_BATCH][NGX_EGRESS_UDP_SIZE];
} ngx_egress_udp_buffers_t;


static ngx_int_t ngx_egress_udp_receive_init(ngx_log_t *log);
static ngx_uint_t ngx_egress_udp_transient(ngx_err_t err);


/* Pages that no datagram was so large to touch cost nothing. */

static ngx_egress_udp_buffers_t  *ngx_egress_udp_buffers;


ngx_int_t
ngx_egress_udp_receive(ngx_connection_t *c, ngx_uint_t max, ngx_uint_t peek,
    ngx_egress_udp_datagram_t **d)
{
    int                        n;
    ngx_err_t                  err;
    ngx_int_t                  i;
    ngx_egress_udp_buffers_t  *b;

    if (ngx_egress_udp_receive_init(c->log) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_egress_udp_buffers;
    max = peek ? 1 : ngx_min(max, NGX_EGRESS_UDP_BATCH);

    do {
        n = recvmmsg(c->fd, b->msg, max, peek ? MSG_PEEK : 0, NULL);

        err = (n == -1) ? ngx_socket_errno : 0;

        /* what a peer's host said about an earlier datagram */

    } while (n == -1 && ngx_egress_udp_transient(err));

    if (n == -1) {

        if (err == NGX_EAGAIN) {
            c->read->ready = 0;
            return NGX_AGAIN;
        }

        ngx_log_error(NGX_LOG_CRIT, c->log, err, "recvmmsg() failed");
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        b->datagram[i].data = b->data[i];
        b->datagram[i].len = b->msg[i].msg_len;
        b->datagram[i].from = &b->from[i].sockaddr;
        b->datagram[i].fromlen = b->msg[i].msg_hdr.msg_namelen;

        b->msg[i].msg_hdr.msg_namelen = sizeof(ngx_sockaddr_t);
    }

    *d = b->datagram;

    return n;
}


static ngx_int_t
ngx_egress_udp_receive_init(ngx_log_t *log)
{
    ngx_uint_t                 i;
    struct msghdr             *msg;
    ngx_egress_udp_buffers_t  *b;

    if (ngx_egress_udp_buffers) {
        return NGX_OK;
    }

    b = ngx_alloc(sizeof(ngx_egress_udp_buffers_t), log);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(b, offsetof(ngx_egress_udp_buffers_t, data));

    for (i = 0; i < NGX_EGRESS_UDP_BATCH; i++) {
        b->iov[i].iov_base = b->data[i];
        b->iov[i].iov_len = NGX_EGRESS_UDP_SIZE;

        msg = &b->msg[i].msg_hdr;

        msg->msg_name = &b->from[i];
        msg->msg_namelen = sizeof(ngx_sockaddr_t);
        msg->msg_iov = &b->iov[i];
        msg->msg_iovlen = 1;
    }

    ngx_egress_udp_buffers = b;

    return NGX_OK;
}


/* 1: the socket is as good as before */

static ngx_uint_t
ngx_egress_udp_transient(ngx_err_t err)
{
    switch (err) {

    case NGX_EINTR:
    case NGX_ECONNREFUSED:
    case NGX_EHOSTUNREACH:
    case NGX_EHOSTDOWN:
    case NGX_ENETUNREACH:
    case NGX_ENETDOWN:
    case EMSGSIZE:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENONET:                           /* ICMP: host isolated */
    case NGX_EACCES:                       /* ICMPv6: prohibited */
        return 1;

    default:
        return 0;
    }
}


/* There was a datagram to send, so there are buffers. */

ngx_egress_udp_batch_t *
ngx_egress_udp_batch(ngx_uint_t n)
{
    return &ngx_egress_udp_buffers->out[n];
}


void
ngx_egress_udp_batch_add(ngx_egress_udp_batch_t *b, u_char *data, size_t len,
    struct sockaddr *sa, socklen_t socklen, ngx_egress_addr_t *from)
{
    u_char         *p;
    struct iovec   *iov;
    struct msghdr  *msg;

    iov = b->iov[b->n];
    msg = &b->msg[b->n].msg_hdr;
    p = b->head[b->n];

    ngx_memzero(msg, sizeof(struct msghdr));

    iov[0].iov_base = p;
    iov[0].iov_len = from ? ngx_egress_socks5_udp_write(p, from) - p : 0;
    iov[1].iov_base = data;
    iov[1].iov_len = len;

    msg->msg_name = sa;
    msg->msg_namelen = sa ? socklen : 0;
    msg->msg_iov = iov;
    msg->msg_iovlen = 2;

    b->n++;
}


/*
 * A datagram that the system does not want is dropped, and so are all that
 * follow when the socket is full: whoever uses UDP reckons with that.
 */

ngx_uint_t
ngx_egress_udp_batch_send(ngx_egress_udp_batch_t *b, ngx_connection_t *c,
    size_t *bytes)
{
    int         n;
    ngx_err_t   err;
    ngx_uint_t  i, sent, last;

    sent = 0;
    *bytes = 0;

    for (i = 0; i < b->n; /* void */) {

        n = sendmmsg(c->fd, &b->msg[i], b->n - i, 0);

        if (n == -1) {
            err = ngx_socket_errno;

            ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, err,
                           "egress udp: sendmmsg() of %ui failed", b->n - i);

            if (err == NGX_EAGAIN) {
                break;
            }

            /* perhaps an older datagram is complained about */

            if (err != NGX_EINTR && err != NGX_ECONNREFUSED) {
                i++;
            }

            continue;
        }

        for (last = i + n; i < last; i++) {
            *bytes += b->iov[i][1].iov_len;
            sent++;
        }
    }

    b->n = 0;

    return sent;
}


void
ngx_egress_udp_exit_process(void)
{
    if (ngx_egress_udp_buffers) {
        ngx_free(ngx_egress_udp_buffers);
        ngx_egress_udp_buffers = NULL;
    }
}
